#include "files/routes/route_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace httpuv::files;

namespace {

Route route(std::string url, bool exclude = false) {
  Route made;
  made.url = std::move(url);
  made.local_path = "/srv" + made.url;
  made.exclude = exclude;
  return made;
}

RouteTable table(std::vector<Route> routes) {
  return RouteTable(std::move(routes), nullptr);
}

// "<url>|<rest>", with "/" behind it for a directory and "!" for a hidden name; "-" when it is the
// application's, "400" when it is refused.
std::string match(const RouteTable& table, std::string_view path) {
  std::string scratch;
  const Match match = table.match(path, scratch);
  if (match.kind == MatchKind::kNone) return "-";
  if (match.kind == MatchKind::kBadRequest) return "400";
  return match.route->url + "|" + std::string(match.rest) + (match.directory ? "/" : "") +
         (match.hidden ? "!" : "");
}

}  // namespace

TEST_CASE("the longest prefix of whole segments wins") {
  const RouteTable t = table({route("/"), route("/lib"), route("/lib/deep"), route("/library")});
  CHECK(match(t, "/") == "|/");
  CHECK(match(t, "/index.html") == "|index.html");
  CHECK(match(t, "/li") == "|li");
  CHECK(match(t, "/lib") == "/lib|");
  CHECK(match(t, "/lib/") == "/lib|/");
  CHECK(match(t, "/lib/a/b.js") == "/lib|a/b.js");
  CHECK(match(t, "/lib/deep") == "/lib/deep|");
  CHECK(match(t, "/lib/deeper") == "/lib|deeper");
  CHECK(match(t, "/lib/deep/x/") == "/lib/deep|x/");
  CHECK(match(t, "/library/x") == "/library|x");
}

TEST_CASE("without a route for \"/\" the rest is the application's") {
  const RouteTable t = table({route("assets/"), route("//double//slash/")});
  CHECK(match(t, "/") == "-");
  CHECK(match(t, "/asset") == "-");
  CHECK(match(t, "/assets") == "/assets|");
  CHECK(match(t, "/double/slash/x") == "/double/slash|x");
  CHECK(match(t, "*") == "-");
  CHECK(match(t, "") == "-");
  CHECK(match(table({}), "/") == "-");
}

TEST_CASE("an excluded path is the application's, however it is spelled") {
  const RouteTable t =
      table({route("/lib"), route("/lib/dynamic", true), route("/lib/one.txt", true)});
  CHECK(match(t, "/lib/static.js") == "/lib|static.js");
  for (const char* path :
       {"/lib/dynamic", "/lib/dynamic/", "/lib/dynamic/x", "/lib//dynamic/x", "/lib/./dynamic",
        "/%6cib/dynamic", "/lib/dyn%61mic/x", "/lib/one.txt"}) {
    CAPTURE(path);
    CHECK(match(t, path) == "-");
  }
  CHECK(match(t, "/lib/dynamic2") == "/lib|dynamic2");
}

TEST_CASE("paths are decoded and collapsed") {
  const RouteTable t = table({route("/"), route("/a b")});
  CHECK(match(t, "/some%20thing.txt") == "|some thing.txt");
  CHECK(match(t, "/a%20b/c") == "/a b|c");
  CHECK(match(t, "//x") == "|x");
  CHECK(match(t, "///x//y///") == "|x/y/");
  CHECK(match(t, "/./x") == "|x");
  CHECK(match(t, "/x/.") == "|x/");
  CHECK(match(t, "/x/./y") == "|x/y");
  CHECK(match(t, "/%2e/x") == "|x");
  CHECK(match(t, "/a+b") == "|a+b");
  CHECK(match(t, "/do..ts.txt") == "|do..ts.txt");
  CHECK(match(t, "/..a/b") == "|..a/b!");
  CHECK(match(t, "/...") == "|...!");
  CHECK(match(t, "/a..") == "|a..");
  CHECK(match(t, "/%252e%252e/x") == "|%2e%2e/x");
  CHECK(match(t, "/snow%20%E2%98%83") == "|snow \xE2\x98\x83");
  // Not UTF-8, and no dots: only a strange name.
  CHECK(match(t, "/%c0%ae%c0%ae/x") == "|\xC0\xAE\xC0\xAE/x");
}

TEST_CASE("a parent segment is refused by every spelling") {
  const RouteTable t = table({route("/")});
  for (const char* path :
       {"/..",     "/../",      "/../x",   "/a/..",   "/a/../b",        "/%2e%2e/x",   "/.%2e/x",
        "/%2E./x", "/a/%2e%2e", "/..%2fx", "/..%2Fx", "/%2e%2e%2fx",    "/a%2f..%2fx", "/a%2f..",
        "/..\\x",  "/a\\..\\b", "/..%5cx", "/a%5c..", "/a/..%5C..%2fb", "/%2f../x",    "//..//x"}) {
    CAPTURE(path);
    CHECK(match(t, path) == "400");
  }
}

TEST_CASE("what names no file is refused") {
  const RouteTable t = table({route("/")});
  for (const char* path : {"/a%00b", "/%00", "/a%", "/a%2", "/a%zz", "/%%41", "/a%2fb", "/a%2F"}) {
    CAPTURE(path);
    CHECK(match(t, path) == "400");
  }
}

TEST_CASE("a backslash is a character of a name") {
  const RouteTable t = table({route("/")});
  CHECK(match(t, "/a%5cb") == "|a\\b");
  CHECK(match(t, "/a\\b/c") == "|a\\b/c");
  CHECK(match(t, "/%5c") == "|\\");
  CHECK(match(t, "/%5C%5Chost/share") == "|\\\\host/share");
  CHECK(can_be_named("a\\b"));
  CHECK(can_be_named("...\\x"));
  for (const char* name : {"..", "..\\a", "a\\..", "a\\..\\b"}) {
    CAPTURE(name);
    CHECK_FALSE(can_be_named(name));
  }
}

TEST_CASE("a route that falls through leaves odd names to the application, attacks not") {
  Route through = route("/");
  through.options.fallthrough = true;
  const RouteTable t = table({through});
  CHECK(match(t, "/items/a%2Fb") == "-");
  CHECK(match(t, "/a/../b") == "400");
  CHECK(match(t, "/..%2fb") == "400");
  CHECK(match(t, "/%00") == "400");
  CHECK(match(t, "/%zz") == "400");
}

TEST_CASE("what is refused is judged by the route it belongs to") {
  const RouteTable t = table({route("/static"), route("/static/app", true)});
  CHECK(match(t, "/api/../static/x") == "-");
  CHECK(match(t, "/api/a%2Fb") == "-");
  CHECK(match(t, "/static%2Fx") == "-");
  CHECK(match(t, "/static/../api") == "400");
  CHECK(match(t, "/static/x%2Fy") == "400");
  CHECK(match(t, "/static/app/../x") == "-");
}

TEST_CASE("hidden names") {
  Route shown = route("/shown");
  shown.options.dotfiles = true;
  const RouteTable t = table({route("/"), route("/.own"), shown});
  CHECK(match(t, "/.git/config") == "|.git/config!");
  CHECK(match(t, "/a/.env") == "|a/.env!");
  CHECK(match(t, "/%2egit/config") == "|.git/config!");
  CHECK(match(t, "/.well-known/acme") == "|.well-known/acme");
  CHECK(match(t, "/.well-known/.x") == "|.well-known/.x!");
  CHECK(match(t, "/.own/x") == "/.own|x");
  CHECK(match(t, "/shown/.x") == "/shown|.x");
}

TEST_CASE("what matches is a normal path, whatever was sent") {
  const RouteTable t = table({route("/"), route("/a"), route("/a/b", true)});
  std::mt19937 random(7);
  const std::string_view alphabet = "//..%%25eEfFcC0ab\\.";
  for (int round = 0; round < 200'000; ++round) {
    std::string path = "/";
    const std::size_t size = random() % 14;
    for (std::size_t i = 0; i < size; ++i) path += alphabet[random() % alphabet.size()];
    std::string scratch;
    const Match m = t.match(path, scratch);
    if (m.kind != MatchKind::kRoute) continue;
    CAPTURE(path);
    const std::string framed = "/" + std::string(m.rest) + "/";
    REQUIRE(framed.find("/../") == std::string::npos);
    REQUIRE(framed.find("/./") == std::string::npos);
    REQUIRE((m.rest.empty() || framed.find("//") == std::string::npos));
    REQUIRE(framed.find('\0') == std::string::npos);
    // Nor would it be another path to a system that takes a backslash for a separator.
    std::string turned = framed;
    std::replace(turned.begin(), turned.end(), '\\', '/');
    REQUIRE(turned.find("/../") == std::string::npos);
    REQUIRE_FALSE((m.route->url == "/a" && (m.rest == "b" || m.rest.starts_with("b/"))));
  }
}
