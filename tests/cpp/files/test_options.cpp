#include "files/routes/options.h"

#include <doctest/doctest.h>

using namespace httpuv::files;

TEST_CASE("a validation passes on the exact value only") {
  Options options;
  CHECK(validation_passes(options, ""));
  CHECK(validation_passes(options, "anything"));
  options.validation = Validation{"abc", "xyz"};
  CHECK(validation_passes(options, "xyz"));
  for (const char* value : {"", "x", "xy", "xyzz", "Xyz", "xyZ", "xyzxyz", "abc"}) {
    CAPTURE(value);
    CHECK_FALSE(validation_passes(options, value));
  }
  options.validation->value = "";
  CHECK(validation_passes(options, ""));
  CHECK_FALSE(validation_passes(options, "x"));
}

TEST_CASE("headers that cannot be set say why") {
  CHECK(header_error("X-Frame-Options", "DENY") == "");
  CHECK(header_error("Content-Type", "text/x; charset=latin1") == "");
  CHECK(header_error("Cache-Control", "max-age=60") == "");
  CHECK(header_error("X-Empty", "") == "");
  CHECK(header_error("", "x") != "");
  CHECK(header_error("a b", "x") != "");
  CHECK(header_error("a:", "x") != "");
  CHECK(header_error("X", "a\r\nEvil: 1") != "");
  CHECK(header_error("X", std::string_view("a\0b", 3)) != "");
  CHECK(header_error("content-LENGTH", "1") != "");
  CHECK(header_error("Transfer-Encoding", "chunked") != "");
  CHECK(header_error("Content-Range", "bytes 0-0/1") != "");
  // They replace those of the server.
  CHECK(header_error("ETag", "\"x\"") == "");
  CHECK(header_error("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT") == "");
  CHECK(header_error("Accept-Ranges", "none") == "");
  CHECK(header_error("Date", "Sun, 06 Nov 1994 08:49:37 GMT") == "");
}
