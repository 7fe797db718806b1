#include "files/routes/mime.h"

#include <doctest/doctest.h>

#include "coding/compressible.h"
#include "types.h"

using namespace httpuv::files;
using namespace httpuv::coding;

TEST_CASE("types by extension") {
  MimeTable table = web_types();
  CHECK(table.type_for("index.html") == "text/html");
  CHECK(table.type_for("a/b.c/x.JS") == "text/javascript");
  CHECK(table.type_for("archive.tar.gz") == "application/gzip");
  CHECK(table.type_for("x.mjs") == "text/javascript");
  CHECK(table.type_for("x.wasm") == "application/wasm");
  CHECK(table.type_for("no_ext") == kDefaultType);
  CHECK(table.type_for("a.html/no_ext") == kDefaultType);
  CHECK(table.type_for(".html") == kDefaultType);
  CHECK(table.type_for("dot.") == kDefaultType);
  CHECK(table.type_for("x.unheard-of") == kDefaultType);
  table.set("JS", "application/x-mine");
  CHECK(table.type_for("x.js") == "application/x-mine");
}

TEST_CASE("the coding a file has by itself") {
  CHECK(coding_of("a/b.svgz", "image/svg+xml") == "gzip");
  CHECK(coding_of("B.SVGZ", "image/svg+xml; charset=utf-8") == "gzip");
  CHECK(coding_of("a.svgz", "application/octet-stream") == "");  // named something else: a download
  CHECK(coding_of(".svgz", "image/svg+xml") == "");
  CHECK(coding_of("a.svg", "image/svg+xml") == "");
  CHECK(coding_of("a.svg.gz", "application/gzip") == "");
}

TEST_CASE("the charset") {
  MimeTable table = web_types();
  CHECK(content_type(table, "x.html", "utf-8") == "text/html; charset=utf-8");
  CHECK(content_type(table, "x.htm", "latin1") == "text/html; charset=latin1");
  CHECK(content_type(table, "x.html", "") == "text/html");
  CHECK(content_type(table, "x.txt", "") == "text/plain; charset=utf-8");
  CHECK(content_type(table, "x.css", "latin1") == "text/css; charset=utf-8");
  CHECK(content_type(table, "x.json", "utf-8") == "application/json");
  CHECK(content_type(table, "x", "utf-8") == "application/octet-stream");
  table.set("txt", "text/plain; Charset=koi8-r");
  CHECK(content_type(table, "x.txt", "utf-8") == "text/plain; Charset=koi8-r");
}

TEST_CASE("what to compress") {
  for (const char* type :
       {"text/html; charset=utf-8", "text/javascript", "application/json", "image/svg+xml",
        "application/ld+json", "application/wasm", "font/ttf"}) {
    CAPTURE(type);
    CHECK(worth_compressing(type));
    CHECK_FALSE(already_compressed(type));
  }
  for (const char* type : {"image/png", "video/mp4", "audio/mpeg", "font/woff2", "application/zip",
                           "application/gzip", "application/epub+zip"}) {
    CAPTURE(type);
    CHECK_FALSE(worth_compressing(type));
    CHECK(already_compressed(type));
  }
  // Unknown bytes: not worth compressing, but a variant may exist.
  CHECK_FALSE(worth_compressing(kDefaultType));
  CHECK_FALSE(already_compressed(kDefaultType));
}
