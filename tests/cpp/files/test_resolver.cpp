#include "files/cache/resolver.h"

#include <doctest/doctest.h>

#include <string>

#include "coding/gzip.h"
#include "files/disk/loader.h"
#include "files/disk/stamp.h"
#include "temp_tree.h"
#include "types.h"

using namespace httpuv::files;
using httpuv::coding::Coding;

namespace {

struct ResolverSite {
  TempTree tree;
  Route route;
  MimeTable mime = web_types();
  CacheLimits limits;

  ResolverSite() {
    route.url = "";
    route.local_path = tree.root();
  }

  Finding get(std::string_view path) {
    Lookup lookup;
    lookup.route = &route;
    lookup.mime = &mime;
    lookup.directory = path.empty() || path.ends_with('/');
    if (path.ends_with('/')) path.remove_suffix(1);
    lookup.rest = path;
    Finding finding = Resolver(limits).resolve(lookup);
    while (code_some(finding, route.options)) {
    }
    return finding;
  }
};

bool holds(const Finding& finding) {
  for (const Witness& witness : finding.witnesses) {
    if (take_stamp(witness.path) != witness.stamp) return false;
  }
  return true;
}

std::string fields_of(const Finding& finding) {
  return finding.entry->fields;
}

bool resolver_has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a small file is read, a large one is kept open") {
  ResolverSite site;
  site.tree.write("a.txt", "hello");
  site.tree.write("big.bin", std::string(100'000, 'x'));
  site.tree.write("empty.txt", "");

  const Finding small = site.get("a.txt");
  REQUIRE(small.kind == ResolutionKind::kFile);
  CHECK(small.entry->in_memory);
  CHECK(small.entry->content == "hello");
  CHECK(small.entry->size == 5);
  CHECK(small.entry->descriptors() == 0);
  CHECK(small.entry->unchanged());

  const Finding large = site.get("big.bin");
  REQUIRE(large.kind == ResolutionKind::kFile);
  CHECK_FALSE(large.entry->in_memory);
  CHECK(large.entry->fd.valid());
  CHECK(large.entry->size == 100'000);
  CHECK(large.entry->descriptors() == 1);
  CHECK(large.entry->unchanged());

  const Finding empty = site.get("empty.txt");
  REQUIRE(empty.kind == ResolutionKind::kFile);
  CHECK(empty.entry->in_memory);
  CHECK(empty.entry->size == 0);
}

TEST_CASE("the fields of a file") {
  ResolverSite site;
  site.tree.write("a.html", "<p>");
  site.tree.touch("a.html", 784111777);
  site.route.options.cache_control = "max-age=60";
  site.route.options.headers = {{"X-One", " 1 "}, {"Content-Language", "en"}};
  const Finding finding = site.get("a.html");
  CHECK(fields_of(finding) ==
        "Content-Type: text/html; charset=utf-8\r\n"
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "ETag: " +
            finding.entry->etag +
            "\r\n"
            "Accept-Ranges: bytes\r\n"
            "Cache-Control: max-age=60\r\n"
            "X-One: 1\r\n"
            "Content-Language: en\r\n");
  CHECK(finding.entry->fields_304 ==
        "ETag: " + finding.entry->etag + "\r\nCache-Control: max-age=60\r\nX-One: 1\r\n");
}

TEST_CASE("the user's own Content-Type and Cache-Control win") {
  ResolverSite site;
  site.tree.write("a.html", "<p>");
  site.route.options.cache_control = "max-age=60";
  site.route.options.headers = {{"content-type", "text/x-own"}, {"cache-control", "no-store"}};
  const std::string fields = fields_of(site.get("a.html"));
  CHECK(fields.starts_with("Content-Type: text/x-own\r\n"));
  CHECK_FALSE(resolver_has(fields, "text/html"));
  CHECK(resolver_has(fields, "cache-control: no-store\r\n"));
  CHECK_FALSE(resolver_has(fields, "max-age"));
}

TEST_CASE("the application's own validators replace ours") {
  ResolverSite site;
  site.tree.write("a.html", "<p>");
  site.route.options.headers = {{"etag", "\"own\""},
                                {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                {"Accept-Ranges", "none"}};
  const Finding finding = site.get("a.html");
  CHECK(fields_of(finding) ==
        "Content-Type: text/html; charset=utf-8\r\nETag: \"own\"\r\n"
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nAccept-Ranges: none\r\n");
  CHECK(finding.entry->etag == "\"own\"");
  CHECK(finding.entry->last_modified == 784111777);
  CHECK_FALSE(finding.entry->takes_ranges);
  CHECK(resolver_has(finding.entry->fields_304, "ETag: \"own\"\r\n"));
}

TEST_CASE("times before 1970 and beyond 2262") {
  ResolverSite site;
  for (const char* name : {"old", "older", "late"}) site.tree.write(name, std::string(70'000, 'x'));
  site.tree.touch("old", -1, 500'000'000);
  site.tree.touch("older", -2, 500'000'000);
  site.tree.touch("late", 13'000'000'000);  // 2381; nanoseconds of it do not fit 64 bits
  const Finding old = site.get("old");
  CHECK(old.entry->last_modified == -1);
  CHECK(resolver_has(fields_of(old), "Last-Modified: Wed, 31 Dec 1969 23:59:59 GMT\r\n"));
  CHECK(old.entry->etag != site.get("older").entry->etag);
  const Stamp late = *take_stamp(site.tree.path("late"));
  if (late.modified.seconds == 13'000'000'000) {  // the file system can
    CHECK(site.get("late").entry->last_modified <= wall_clock().seconds);
    CHECK(site.get("late").entry->etag == etag_of_stamp(late, wall_clock()));
  }
}

TEST_CASE("a tag by stamp is weak while another write may not show") {
  Stamp stamp;
  stamp.modified = {1'000, 500'000'000};
  stamp.changed = stamp.modified;
  CHECK(etag_of_stamp(stamp, {1'000, 510'000'000}).starts_with("W/\""));
  CHECK(etag_of_stamp(stamp, {1'000, 530'000'000}).starts_with("\""));
  CHECK(etag_of_stamp(stamp, {1'001, 5'000'000}).starts_with("\""));
  // A time in the future is no time that a write leaves.
  CHECK(etag_of_stamp(stamp, {999, 0}).starts_with("\""));
  stamp.modified.nanoseconds = stamp.changed.nanoseconds = 0;  // whole seconds only
  CHECK(etag_of_stamp(stamp, {1'001, 0}).starts_with("W/\""));
  CHECK(etag_of_stamp(stamp, {1'003, 0}).starts_with("\""));
}

#ifdef __linux__
TEST_CASE("a file whose size is not its length is read to its end, each time") {
  OpenerState state;
  const httpuv::base::Descriptor root(open_root("/proc/self"));
  Opened opened = Opener(root.get(), true, state).open("status");
  REQUIRE(opened.is_file());
  REQUIRE(opened.status.st_size == 0);
  const Loaded loaded = load_file(std::move(opened), 0);
  REQUIRE(loaded.entry != nullptr);
  CHECK(loaded.entry->content.starts_with("Name:"));
  CHECK(loaded.entry->size == loaded.entry->content.size());
  CHECK_FALSE(loaded.entry->sized);
  CHECK_FALSE(loaded.entry->last_modified);

  ResolverSite site;
  site.route.local_path = "/proc/self/status";
  const Finding finding = site.get("");
  REQUIRE(finding.entry != nullptr);
  CHECK(resolver_has(finding.entry->content, "Name:"));
  CHECK_FALSE(finding.settled);
}
#endif

TEST_CASE("validators") {
  ResolverSite site;
  site.tree.write("a.txt", "hello");
  site.tree.write("b.txt", "hello");
  site.tree.write("c.txt", "hellp");
  site.tree.write("big", std::string(70'000, 'x'));
  site.tree.write("future", "x");
  site.tree.touch("a.txt", 1'000'000'000);
  site.tree.touch("future", 4'000'000'000);
  site.tree.touch("big", 1'100'000'000);
  // Of bytes that were read the tag names the bytes.
  CHECK(site.get("a.txt").entry->etag == site.get("b.txt").entry->etag);
  CHECK(site.get("a.txt").entry->etag != site.get("c.txt").entry->etag);
  CHECK(site.get("a.txt").entry->last_modified == 1'000'000'000);
  CHECK(site.get("future").entry->last_modified < 4'000'000'000);
  const std::string etag = site.get("big").entry->etag;
  CHECK(etag.front() == '"');
  CHECK(etag.back() == '"');
  CHECK(site.get("big").entry->etag == etag);
  site.tree.touch("big", 1'000'000'000);
  CHECK(site.get("big").entry->etag != etag);
}

TEST_CASE("directories") {
  ResolverSite site;
  site.tree.write("with/index.html", "index");
  site.tree.write("without/x.txt", "x");
  site.tree.write("a b/index.html", "index");

  Finding finding = site.get("with/");
  REQUIRE(finding.kind == ResolutionKind::kFile);
  CHECK(finding.entry->content == "index");
  CHECK(finding.entry->content_type == "text/html; charset=utf-8");

  finding = site.get("with");
  CHECK(finding.kind == ResolutionKind::kRedirect);
  CHECK(finding.location == "/with/");
  CHECK(site.get("a b").location == "/a%20b/");

  CHECK(site.get("without/").kind == ResolutionKind::kNotFound);
  CHECK(site.get("without").kind == ResolutionKind::kNotFound);
  CHECK(site.get("").kind == ResolutionKind::kNotFound);
  CHECK(site.get("without/x.txt/").kind == ResolutionKind::kNotFound);

  site.route.options.indexhtml = false;
  CHECK(site.get("with/").kind == ResolutionKind::kNotFound);
  CHECK(site.get("with").kind == ResolutionKind::kNotFound);

  site.route.options.listing = true;
  CHECK(site.get("with/").kind == ResolutionKind::kListing);
  CHECK(site.get("with").kind == ResolutionKind::kRedirect);

  site.route.options.indexhtml = true;
  CHECK(site.get("with/").kind == ResolutionKind::kFile);
  CHECK(site.get("without/").kind == ResolutionKind::kListing);
  CHECK(site.get("").kind == ResolutionKind::kListing);
}

TEST_CASE("the first index name that is a file is served") {
  ResolverSite site;
  site.tree.mkdir("d/index.html");
  site.tree.write("d/index.htm", "htm");
  site.tree.write("d/default.htm", "default");
  site.route.options.index_names = {"index.html", "none", "index.htm", "default.htm"};
  const Finding finding = site.get("d/");
  REQUIRE(finding.kind == ResolutionKind::kFile);
  CHECK(finding.entry->content == "htm");
}

TEST_CASE("a redirect of a route names the whole url") {
  ResolverSite site;
  site.tree.write("sub/index.html", "x");
  site.tree.write("index.html", "x");
  site.route.url = "/my files";
  CHECK(site.get("sub").location == "/my%20files/sub/");
  Lookup lookup;
  lookup.route = &site.route;
  lookup.mime = &site.mime;
  CHECK(Resolver(site.limits).resolve(lookup).location == "/my%20files/");
}

TEST_CASE("a route that is a file") {
  ResolverSite site;
  site.tree.write("dir/page.html", "page");
  site.route.url = "/about";
  site.route.local_path = site.tree.path("dir/page.html");
  Lookup lookup;
  lookup.route = &site.route;
  lookup.mime = &site.mime;
  const auto resolve = [&] { return Resolver(site.limits).resolve(lookup); };
  Finding finding = resolve();
  REQUIRE(finding.kind == ResolutionKind::kFile);
  CHECK(finding.entry->content == "page");
  CHECK(finding.entry->content_type == "text/html; charset=utf-8");
  CHECK(holds(finding));
  lookup.directory = true;
  CHECK(resolve().kind == ResolutionKind::kNotFound);
  lookup.rest = "x";
  CHECK(resolve().kind == ResolutionKind::kNotFound);
  lookup.directory = false;
  CHECK(resolve().kind == ResolutionKind::kNotFound);

  site.route.url = "";
  lookup.rest = "";
  lookup.directory = true;
  CHECK(resolve().kind == ResolutionKind::kFile);

  // Wherever it leads: the operator named it.
  site.tree.symlink(site.tree.path("dir/page.html"), "link");
  site.route.local_path = site.tree.path("link");
  CHECK(resolve().kind == ResolutionKind::kFile);
}

TEST_CASE("what is not there") {
  ResolverSite site;
  site.tree.write("a/b.txt", "b");
  Finding finding = site.get("a/none/x/y");
  CHECK(finding.kind == ResolutionKind::kNotFound);
  CHECK(finding.absent == "a/none");
  REQUIRE(finding.witnesses.size() == 1);
  CHECK(finding.witnesses[0].path == site.tree.path("a"));
  CHECK(finding.witnesses[0].directory);
  CHECK(site.get("none").absent == "none");
  CHECK(site.get("none").witnesses[0].path == site.tree.root());
  CHECK(site.get("none/").absent == "none");
  CHECK_FALSE(site.get("a/b.txt/c").absent);

  site.route.options.fallthrough = true;
  CHECK(site.get("a/none").kind == ResolutionKind::kFallthrough);
  CHECK(site.get("a/").kind == ResolutionKind::kFallthrough);

  site.route.local_path = site.tree.path("gone");
  finding = site.get("x");
  CHECK(finding.kind == ResolutionKind::kFallthrough);
  CHECK_FALSE(finding.settled);
}

TEST_CASE("a dangling link is not remembered as missing") {
  ResolverSite site;
  site.tree.symlink("later", "link");
  const Finding finding = site.get("link");
  CHECK(finding.kind == ResolutionKind::kNotFound);
  CHECK_FALSE(finding.absent);
  CHECK_FALSE(finding.settled);
}

TEST_CASE("the page of a 404") {
  ResolverSite site;
  site.tree.write("404.html", "<p>lost");
  site.tree.write(".hidden", "x");
  site.route.options.not_found = "404.html";
  site.route.options.headers = {{"X-Site", "1"}, {"Cache-Control", "max-age=9"}};
  Finding finding = site.get("none");
  CHECK(finding.kind == ResolutionKind::kNotFound);
  REQUIRE(finding.entry != nullptr);
  CHECK(finding.entry->content == "<p>lost");
  CHECK(finding.entry->fields == "Content-Type: text/html; charset=utf-8\r\nX-Site: 1\r\n");

  site.route.options.not_found = "missing.html";
  finding = site.get("none");
  CHECK(finding.kind == ResolutionKind::kNotFound);
  CHECK(finding.entry == nullptr);
  CHECK_FALSE(finding.settled);
}

TEST_CASE("a link that leaves the root is not found, unless it may") {
  ResolverSite site;
  site.tree.write("outside/x.txt", "x");
  site.tree.mkdir("root");
  site.tree.symlink("../outside/x.txt", "root/x.txt");
  site.route.local_path = site.tree.path("root");
  CHECK(site.get("x.txt").kind == ResolutionKind::kNotFound);
  site.route.options.symlinks = true;
  CHECK(site.get("x.txt").kind == ResolutionKind::kFile);
}

TEST_CASE("encoded forms beside a file") {
  ResolverSite site;
  site.tree.write("a.js", "plain");
  site.tree.write("a.js.br", "brotli");
  site.tree.write("a.js.gz", "gzip");
  site.tree.mkdir("a.js.zst");
  site.tree.touch("a.js", 1'000'000'000, 500);
  site.tree.touch("a.js.br", 1'000'000'001);
  site.tree.touch("a.js.gz", 1'000'000'000);  // the same time, without its fraction
  Finding finding = site.get("a.js");
  REQUIRE(finding.kind == ResolutionKind::kFile);
  const auto& forms = finding.entry->variants;
  REQUIRE(forms[0] != nullptr);
  CHECK(forms[1] == nullptr);
  REQUIRE(forms[2] != nullptr);
  CHECK(forms[0]->content == "brotli");
  CHECK(forms[2]->content == "gzip");
  CHECK(resolver_has(forms[0]->fields, "Content-Type: text/javascript; charset=utf-8\r\n"));
  CHECK(resolver_has(forms[0]->fields, "Content-Encoding: br\r\n"));
  CHECK(resolver_has(forms[0]->fields, "Vary: Accept-Encoding\r\n"));
  CHECK(resolver_has(forms[0]->fields_304, "Vary: Accept-Encoding\r\n"));
  CHECK(resolver_has(finding.entry->fields, "Vary: Accept-Encoding\r\n"));
  CHECK_FALSE(resolver_has(finding.entry->fields, "Content-Encoding"));
  CHECK(forms[0]->etag != finding.entry->etag);
  CHECK(forms[0]->etag != forms[2]->etag);

  // Older than the file: of another state of it.
  site.tree.touch("a.js.br", 999'999'999);
  CHECK(site.get("a.js").entry->variants[0] == nullptr);

  site.route.options.precompressed = false;
  finding = site.get("a.js");
  CHECK_FALSE(finding.entry->negotiated());
  CHECK_FALSE(resolver_has(finding.entry->fields, "Vary"));

  site.route.options.precompressed = true;
  site.route.options.headers = {{"Content-Encoding", "gzip"}};
  CHECK_FALSE(site.get("a.js").entry->negotiated());
}

TEST_CASE("pictures have no encoded forms") {
  ResolverSite site;
  site.tree.write("a.png", "png");
  site.tree.write("a.png.gz", "gzip");
  CHECK_FALSE(site.get("a.png").entry->negotiated());
}

TEST_CASE("compression on the fly") {
  ResolverSite site;
  const std::string text(10'000, 'a');
  site.tree.write("a.txt", text);
  site.tree.write("large.txt", std::string(200'000, 'b'));
  site.tree.write("tiny.txt", "a");
  site.tree.write("a.bin", text);
  site.tree.write("own.txt", text);
  site.tree.write("own.txt.gz", "own");
  const auto form = [&](std::string_view name) {
    return std::move(site.get(name).entry->variants[static_cast<std::size_t>(Coding::kGzip)]);
  };
  CHECK(form("a.txt") == nullptr);
  site.route.options.gzip = true;
  const auto coded = form("a.txt");
  REQUIRE(coded != nullptr);
  CHECK(coded->content == httpuv::coding::gzip(text));
  CHECK(coded->size < 200);
  CHECK(resolver_has(coded->fields, "Content-Encoding: gzip\r\n"));
  CHECK(resolver_has(coded->fields, "Vary: Accept-Encoding\r\n"));
  CHECK(form("a.txt")->etag == coded->etag);
  REQUIRE(form("large.txt") != nullptr);
  CHECK(form("large.txt")->in_memory);
  CHECK(form("tiny.txt") == nullptr);
  CHECK(form("a.bin") == nullptr);
  CHECK(form("own.txt")->content == "own");
  site.limits.gzip_file = 100'000;
  CHECK(form("large.txt") == nullptr);
}

TEST_CASE("witnesses hold until something changes") {
  ResolverSite site;
  site.tree.write("d/a.txt", "one");
  site.tree.write("d/b.bin", "one");
  site.tree.write("e/index.html", "index");
  const auto changes = [&](std::string_view path, auto change) {
    site.tree.settle();
    const Finding finding = site.get(path);
    CHECK(finding.settled);
    REQUIRE(holds(finding));
    change();
    return !holds(finding);
  };
  CHECK_FALSE(changes("d/a.txt", [] {}));
  CHECK(changes("d/a.txt", [&] { site.tree.write("d/a.txt", "two"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.replace("d/a.txt", "two"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.write("d/a.txt.gz", "new form"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.write("d/a.txt.gz", "new forn"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.remove("d/a.txt.gz"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.remove("d/a.txt"); }));
  CHECK(changes("d/a.txt", [&] { site.tree.write("d/a.txt", "back"); }));
  CHECK(changes("d/none", [&] { site.tree.write("d/none", "made"); }));
  CHECK(changes("x/y/z", [&] { site.tree.write("x/y/z", "made"); }));
  CHECK(changes("e/", [&] { site.tree.replace("e/index.html", "new"); }));
  CHECK(changes("e", [&] { site.tree.remove("e/index.html"); }));
  CHECK(changes("e/", [&] { site.tree.write("e/index.html", "back"); }));
}

TEST_CASE("what was changed just now is not relied on") {
  ResolverSite site;
  site.tree.settle();
  site.tree.write("a.bin", "one");
  CHECK_FALSE(site.get("a.bin").settled);
}

TEST_CASE("an open file knows that it was written to, not that it was unlinked") {
  ResolverSite site;
  site.tree.write("big", std::string(70'000, 'x'));
  site.tree.settle();
  const Finding finding = site.get("big");
  REQUIRE(finding.entry != nullptr);
  site.tree.replace("big", "other");
  CHECK(finding.entry->unchanged());
  site.tree.write("big", std::string(70'000, 'y'));
  site.tree.settle();
  const Finding second = site.get("big");
  site.tree.write("big", std::string(70'000, 'z'));
  CHECK_FALSE(second.entry->unchanged());
  CHECK(finding.entry->unchanged());
}
