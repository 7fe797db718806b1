#include "files/answer/respond.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "files/cache/resolver.h"
#include "temp_tree.h"
#include "types.h"

using namespace httpuv::files;

namespace {

struct Site {
  TempTree tree;
  std::vector<Route> routes = std::vector<Route>(1);
  CacheLimits limits;

  Site() { routes[0].local_path = tree.root(); }
  Options& options() { return routes[0].options; }

  Resolution get(std::string_view path) {
    Resolution resolution;
    resolution.table =
        std::make_shared<const RouteTable>(routes, std::make_shared<MimeTable>(web_types()));
    resolution.route = &resolution.table->routes()[0];
    Lookup lookup;
    lookup.route = resolution.route;
    lookup.mime = &resolution.table->mime();
    lookup.directory = path.empty() || path.ends_with('/');
    if (path.ends_with('/')) path.remove_suffix(1);
    lookup.rest = path;
    Finding finding = Resolver(limits).resolve(lookup);
    while (code_some(finding, resolution.route->options)) {
    }
    resolution.kind = finding.kind;
    resolution.error = finding.error;
    resolution.entry = std::move(finding.entry);
    resolution.location = std::make_shared<const std::string>(finding.location);
    return resolution;
  }
};

Query query() {
  Query q;
  q.now = 1'700'000'000;
  return q;
}

// As a server would send it.
std::string body_of(const Answer& answer) {
  const auto piece = [&](std::uint64_t offset, std::uint64_t length) {
    std::string bytes(length, '\0');
    CHECK(::pread(answer.source->fd.get(), bytes.data(), length, static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(length));
    return bytes;
  };
  switch (answer.body) {
    case BodyKind::kNone:
      return "";
    case BodyKind::kMemory:
      return std::string(answer.memory);
    case BodyKind::kText:
      return answer.text;
    case BodyKind::kFile:
      return piece(answer.offset, answer.length);
    case BodyKind::kMultipart:
      break;
  }
  std::string bytes;
  for (const Part& part : answer.parts) bytes += part.preamble + piece(part.offset, part.length);
  return bytes + answer.text;
}

std::string fields_of(const Answer& answer) {
  return std::string(answer.fields) + answer.own_fields;
}

// The value of a field, "-" when it is not there; fails when it is there twice.
std::string field(const Answer& answer, const std::string& name) {
  const std::string fields = "\r\n" + fields_of(answer);
  const std::size_t at = fields.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "-";
  CHECK(fields.find("\r\n" + name + ": ", at + 1) == std::string::npos);
  const std::size_t begin = at + name.size() + 4;
  return fields.substr(begin, fields.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("a small file comes from memory, without a copy") {
  Site site;
  site.tree.write("a.txt", "hello");
  const Resolution resolution = site.get("a.txt");
  const Answer answer = respond(resolution, query());
  CHECK(answer.status == 200);
  CHECK(answer.body == BodyKind::kMemory);
  CHECK(answer.memory.data() == resolution.entry->content.data());
  CHECK(answer.fields.data() == resolution.entry->fields.data());
  CHECK(answer.own_fields.empty());
  CHECK(answer.keep == resolution.entry);
  CHECK(answer.content_length == 5);
  CHECK(body_of(answer) == "hello");
  CHECK(field(answer, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(field(answer, "Accept-Ranges") == "bytes");
}

TEST_CASE("a large file comes from its descriptor") {
  Site site;
  site.tree.write("big.bin", std::string(100'000, 'x'));
  const Answer answer = respond(site.get("big.bin"), query());
  CHECK(answer.status == 200);
  CHECK(answer.body == BodyKind::kFile);
  CHECK(answer.offset == 0);
  CHECK(answer.length == 100'000);
  CHECK(body_of(answer) == std::string(100'000, 'x'));
}

TEST_CASE("HEAD has the fields and no body") {
  Site site;
  site.tree.write("a.txt", "hello");
  site.tree.write("big.bin", std::string(100'000, 'x'));
  Query q = query();
  q.head = true;
  q.range = "bytes=0-1";  // means nothing here
  for (const auto& [name, size] : {std::pair("a.txt", 5), std::pair("big.bin", 100'000)}) {
    const Answer answer = respond(site.get(name), q);
    CHECK(answer.status == 200);
    CHECK(answer.body == BodyKind::kNone);
    CHECK(answer.content_length == static_cast<std::uint64_t>(size));
    CHECK(answer.source == nullptr);
  }
  const Answer missing = respond(site.get("none"), q);
  CHECK(missing.status == 404);
  CHECK(missing.body == BodyKind::kNone);
  CHECK(missing.content_length == 9);
}

TEST_CASE("an empty file") {
  Site site;
  site.tree.write("empty.txt", "");
  const Answer answer = respond(site.get("empty.txt"), query());
  CHECK(answer.status == 200);
  CHECK(answer.content_length == 0);
  CHECK(answer.send_content_length);
  CHECK(body_of(answer) == "");
}

TEST_CASE("not modified") {
  Site site;
  site.tree.write("a.txt", "hello");
  const Resolution resolution = site.get("a.txt");
  Query q = query();
  q.if_none_match = resolution.entry->etag;
  const Answer answer = respond(resolution, q);
  CHECK(answer.status == 304);
  CHECK(answer.body == BodyKind::kNone);
  CHECK_FALSE(answer.send_content_length);
  CHECK(field(answer, "ETag") == resolution.entry->etag);
  CHECK(field(answer, "Content-Type") == "-");
  CHECK(field(answer, "Last-Modified") == "-");
}

TEST_CASE("a failed precondition") {
  Site site;
  site.tree.write("a.txt", "hello");
  Query q = query();
  q.if_match = "\"other\"";
  const Answer answer = respond(site.get("a.txt"), q);
  CHECK(answer.status == 412);
  CHECK(body_of(answer) == "Precondition Failed");
  CHECK(field(answer, "ETag") == "-");
}

TEST_CASE("one range") {
  Site site;
  site.tree.write("nums.txt", "123456789");
  site.tree.write("big.bin", std::string(70'000, 'x') + "123456789");
  Query q = query();
  q.range = "bytes=2-5";
  Answer answer = respond(site.get("nums.txt"), q);
  CHECK(answer.status == 206);
  CHECK(body_of(answer) == "3456");
  CHECK(answer.content_length == 4);
  CHECK(field(answer, "Content-Range") == "bytes 2-5/9");
  CHECK(field(answer, "Content-Type") == "text/plain; charset=utf-8");
  CHECK(field(answer, "ETag") != "-");

  q.range = "bytes=-3";
  answer = respond(site.get("big.bin"), q);
  CHECK(answer.status == 206);
  CHECK(answer.body == BodyKind::kFile);
  CHECK(body_of(answer) == "789");
  CHECK(field(answer, "Content-Range") == "bytes 70006-70008/70009");

  q.range = "bytes=9-50";
  answer = respond(site.get("nums.txt"), q);
  CHECK(answer.status == 416);
  CHECK(field(answer, "Content-Range") == "bytes */9");
  CHECK(body_of(answer) == "Range Not Satisfiable");

  q.range = "asdf";
  answer = respond(site.get("nums.txt"), q);
  CHECK(answer.status == 200);
  CHECK(body_of(answer) == "123456789");
}

TEST_CASE("several ranges make a multipart body") {
  Site site;
  const std::string bytes = "123456789" + std::string(70'000, 'x') + "abc";
  site.tree.write("small.txt", "123456789abc");
  site.tree.write("big.txt", bytes);
  Query q = query();
  q.range = "bytes=0-1, -2";
  for (const auto& [name, size] : {std::pair("small.txt", 12), std::pair("big.txt", 70'012)}) {
    const Resolution resolution = site.get(name);
    const Answer answer = respond(resolution, q);
    CHECK(answer.status == 206);
    const std::string type = field(answer, "Content-Type");
    const std::string prefix = "multipart/byteranges; boundary=";
    REQUIRE(type.starts_with(prefix));
    const std::string boundary = type.substr(prefix.size());
    CHECK(boundary.size() >= 20);
    CHECK(boundary.size() <= 70);
    const std::string total = std::to_string(size);
    const std::string expected =
        "--" + boundary +
        "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/" + total +
        "\r\n\r\n12\r\n--" + boundary +
        "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes " +
        std::to_string(size - 2) + "-" + std::to_string(size - 1) + "/" + total +
        "\r\n\r\nbc\r\n--" + boundary + "--\r\n";
    CHECK(body_of(answer) == expected);
    CHECK(answer.content_length == expected.size());
    CHECK(field(answer, "Content-Range") == "-");
    CHECK(field(answer, "ETag") == resolution.entry->etag);
    CHECK(answer.body == (size > 65'536 ? BodyKind::kMultipart : BodyKind::kText));
  }
}

TEST_CASE("If-Range") {
  Site site;
  site.tree.write("nums.txt", "123456789");
  site.tree.touch("nums.txt", 784111777);
  const Resolution resolution = site.get("nums.txt");
  Query q = query();
  q.range = "bytes=0-0";
  q.if_range = resolution.entry->etag;
  CHECK(respond(resolution, q).status == 206);
  q.if_range = "\"other\"";
  CHECK(respond(resolution, q).status == 200);
  q.if_range = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(respond(resolution, q).status == 206);
  q.if_range = "Sun, 06 Nov 1994 08:49:17 GMT";
  CHECK(respond(resolution, q).status == 200);
  // An unsatisfiable range does not count either when the file is another one.
  q.range = "bytes=100-";
  CHECK(respond(resolution, q).status == 200);
}

TEST_CASE("encoded forms") {
  Site site;
  site.tree.write("a.js", "plain text");
  site.tree.write("a.js.gz", "gzip");
  site.tree.touch("a.js", 1'000'000'000);
  const Resolution resolution = site.get("a.js");
  Query q = query();
  Answer answer = respond(resolution, q);
  CHECK(body_of(answer) == "plain text");
  CHECK(field(answer, "Vary") == "Accept-Encoding");
  CHECK(field(answer, "Content-Encoding") == "-");
  const std::string plain_tag = field(answer, "ETag");

  q.accept_encoding = "gzip, br";
  answer = respond(resolution, q);
  CHECK(body_of(answer) == "gzip");
  CHECK(answer.content_length == 4);
  CHECK(field(answer, "Vary") == "Accept-Encoding");
  CHECK(field(answer, "Content-Encoding") == "gzip");
  CHECK(field(answer, "Content-Type") == "text/javascript; charset=utf-8");
  const std::string gzip_tag = field(answer, "ETag");
  CHECK(gzip_tag != plain_tag);

  // Conditions and ranges are about the form that would be sent.
  q.if_none_match = gzip_tag;
  answer = respond(resolution, q);
  CHECK(answer.status == 304);
  CHECK(field(answer, "Vary") == "Accept-Encoding");
  q.if_none_match = plain_tag;
  CHECK(respond(resolution, q).status == 200);
  q.if_none_match = "";
  q.range = "bytes=1-2";
  answer = respond(resolution, q);
  CHECK(answer.status == 206);
  CHECK(body_of(answer) == "zi");
  CHECK(field(answer, "Content-Range") == "bytes 1-2/4");
  CHECK(field(answer, "Content-Encoding") == "gzip");
}

TEST_CASE("redirects keep the query") {
  Site site;
  site.tree.write("users/index.html", "x");
  Query q = query();
  Answer answer = respond(site.get("users"), q);
  CHECK(answer.status == 301);
  CHECK(field(answer, "Location") == "/users/");
  CHECK(body_of(answer).find(">Redirecting to /users/<") != std::string::npos);
  q.has_query = true;
  q.query = "name=john&x=\"<";
  answer = respond(site.get("users"), q);
  CHECK(field(answer, "Location") == "/users/?name=john&x=\"<");
  CHECK(body_of(answer).find("/users/?name=john&amp;x=&quot;&lt;<") != std::string::npos);
  q.query = "";
  CHECK(field(respond(site.get("users"), q), "Location") == "/users/?");
}

TEST_CASE("a redirect never leaves the host") {
  Site site;
  site.tree.write("evil.com/index.html", "x");
  std::vector<Route> routes(1);
  routes[0].local_path = site.tree.root();
  const RouteTable table(routes, nullptr);
  for (const char* path : {"//evil.com", "/.//evil.com", "///evil.com", "/%2e//evil.com"}) {
    CAPTURE(path);
    std::string scratch;
    const Match match = table.match(path, scratch);
    REQUIRE(match.kind == MatchKind::kRoute);
    CHECK(field(respond(site.get(match.rest), query()), "Location") == "/evil.com/");
  }
  for (const char* path :
       {"//evil.com/..", "//evil.com/%2e%2e", "/%2fevil.com", "//evil.com/../x"}) {
    CAPTURE(path);
    std::string scratch;
    CHECK(table.match(path, scratch).kind == MatchKind::kBadRequest);
  }
}

TEST_CASE(
    "a redirect to a name with a backslash spells it so that no browser takes it for a slash") {
  Site site;
  site.tree.write("\\evil.com/index.html", "x");
  const RouteTable table({Route{"", site.tree.root(), false, {}}}, nullptr);
  for (const char* path : {"/\\evil.com", "/%5cevil.com"}) {
    CAPTURE(path);
    std::string scratch;
    const Match match = table.match(path, scratch);
    REQUIRE(match.kind == MatchKind::kRoute);
    CHECK(field(respond(site.get(match.rest), query()), "Location") == "/%5Cevil.com/");
  }
}

TEST_CASE("refusals and failures") {
  Site site;
  site.options().headers = {
      {"X-Site", "1"}, {"Cache-Control", "max-age=9"}, {"Content-Language", "en"}};
  Answer answer = respond(site.get("none"), query());
  CHECK(answer.status == 404);
  CHECK(body_of(answer) == "Not Found");
  CHECK(field(answer, "Content-Type") == "text/plain; charset=utf-8");
  // What speaks of the site goes along, what speaks of a file does not.
  CHECK(field(answer, "X-Site") == "1");
  CHECK(field(answer, "Cache-Control") == "-");
  CHECK(field(answer, "Content-Language") == "-");

  Resolution resolution = site.get("none");
  resolution.kind = ResolutionKind::kForbidden;
  CHECK(respond(resolution, query()).status == 403);
  resolution.kind = ResolutionKind::kError;
  resolution.error = EIO;
  CHECK(respond(resolution, query()).status == 500);
  for (const int error : {EMFILE, ENFILE, ENOMEM, EBUSY}) {
    resolution.error = error;
    answer = respond(resolution, query());
    CHECK(answer.status == 503);
    CHECK(field(answer, "Retry-After") == "1");
  }

  answer = method_not_allowed(*resolution.route);
  CHECK(answer.status == 405);
  CHECK(field(answer, "Allow") == "GET, HEAD");
  CHECK(field(answer, "X-Site") == "1");
  CHECK(forbidden(*resolution.route).status == 403);
}

TEST_CASE("the page of a 404 has no validators and heeds no conditions") {
  Site site;
  site.tree.write("404.html", "<p>lost");
  site.options().not_found = "/404.html";
  Query q = query();
  q.range = "bytes=0-1";
  q.if_none_match = "*";
  const Answer answer = respond(site.get("none"), q);
  CHECK(answer.status == 404);
  CHECK(body_of(answer) == "<p>lost");
  CHECK(field(answer, "Content-Type") == "text/html; charset=utf-8");
  CHECK(field(answer, "ETag") == "-");
  CHECK(field(answer, "Last-Modified") == "-");
  CHECK(field(answer, "Accept-Ranges") == "-");
}

TEST_CASE("a listing is revalidated like a file") {
  Site site;
  site.tree.write("x.txt", "x");
  site.options().listing = true;
  const Resolution resolution = site.get("");
  Query q = query();
  Answer answer = respond(resolution, q);
  CHECK(answer.status == 200);
  CHECK(field(answer, "Content-Type") == "text/html; charset=utf-8");
  CHECK(field(answer, "Last-Modified") == "-");
  const std::string etag = field(answer, "ETag");
  q.if_none_match = etag;
  CHECK(respond(resolution, q).status == 304);
}
