#include "files/pages/listing.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "files/pages/accept.h"
#include "files/pages/error_page.h"
#include "temp_tree.h"
#include "types.h"

using namespace httpuv::files;

namespace {

std::string page(const TempTree& tree, const Options& options, const char* url = "/files/",
                 const char* route = "/files", const ListingView& view = {}) {
  OpenerState state;
  const httpuv::base::Descriptor root(open_root(tree.root()));
  const Opener opener(root.get(), options.symlinks, state);
  Opened directory = opener.open("");
  REQUIRE(directory.is_directory());
  const Listing listing =
      make_listing({std::move(directory.fd), url, route, ""}, opener, options, web_types(), view);
  REQUIRE(listing.error == 0);
  CHECK(listing.content_type == (view.json ? "application/json" : "text/html; charset=utf-8"));
  return listing.body;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

// Whether the parts come in this order.
bool in_order(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const std::string& part : parts) {
    at = text.find(part, at);
    if (at == std::string::npos) return false;
    at += part.size();
  }
  return true;
}

TEST_CASE("directories first, then files, by name whatever their case, numbers by value") {
  TempTree tree;
  for (const char* name : {"b10.txt", "b9.txt", "B2.txt", "a.txt", "Z/x", "c/x"})
    tree.write(name, "x");
  const std::string html = page(tree, Options());
  CHECK(
      in_order(html, {"\"c/\"", "\"Z/\"", "\"a.txt\"", "\"B2.txt\"", "\"b9.txt\"", "\"b10.txt\""}));
  CHECK(html.starts_with("<!DOCTYPE html>"));
  CHECK(has(html, "2 folders, 4 files"));
  CHECK(has(html, "<a class=d href=\"c/\">c/</a>"));
  CHECK(has(html, "<a class=t href=\"a.txt\">a.txt</a>"));
}

TEST_CASE("the order that the query asks for, and what the titles ask for next") {
  TempTree tree;
  tree.write("a", "333");
  tree.write("b", "1");
  tree.write("c", "22");
  tree.touch("a", 20);
  tree.touch("b", 30);
  tree.touch("c", 10);
  const auto order = [&](std::string_view query, const std::vector<std::string>& parts) {
    return in_order(page(tree, Options(), "/", "", listing_view(query, "")), parts);
  };
  CHECK(order("", {"\"a\"", "\"b\"", "\"c\""}));
  CHECK(order("sort=-name", {"\"c\"", "\"b\"", "\"a\""}));
  CHECK(order("sort=size", {"\"b\"", "\"c\"", "\"a\""}));
  CHECK(order("x=y&sort=-size", {"\"a\"", "\"c\"", "\"b\""}));
  CHECK(order("sort=time", {"\"c\"", "\"a\"", "\"b\""}));
  CHECK(order("sort=bogus", {"\"a\"", "\"b\"", "\"c\""}));
  const std::string html = page(tree, Options(), "/", "", listing_view("sort=-size", ""));
  CHECK(has(html, "<th scope=col aria-sort=descending><button name=sort value=size>"));
  CHECK(has(html, "<button name=sort value=name>"));
  CHECK(has(html, "<button name=sort value=-time>"));
}

TEST_CASE("the way to a directory begins at its route") {
  TempTree tree;
  std::string html = page(tree, Options(), "/files/", "/files");
  CHECK(
      has(html, "<span aria-current=page><span class=home role=img aria-label=Home></span> files"));
  CHECK_FALSE(has(html, "\"../\""));
  html = page(tree, Options(), "/files/a b/<c>/", "/files");
  CHECK(has(html, "<a href=/files/>"));
  CHECK(has(html, "<a href=/files/a%20b/>a b</a>"));
  CHECK(has(html, "<span aria-current=page>&lt;c&gt;</span>"));
  CHECK(has(html, "href=\"../\""));
  html = page(tree, Options(), "/x/", "");
  CHECK(has(html, "<a href=/><span class=home"));
}

TEST_CASE("JSON for programs") {
  TempTree tree;
  tree.write("sub/x", "x");
  tree.write("q\"\\\n\xFF", "12345");
  tree.touch("sub", 784111777);
  tree.touch("q\"\\\n\xFF", 784111777);
  const std::string json =
      page(tree, Options(), "/files/", "/files", listing_view("", "application/json"));
  CHECK(json ==
        "{\"path\":\"/files/\",\"truncated\":false,\"entries\":[\n"
        "{\"name\":\"sub\",\"href\":\"sub/\",\"type\":\"directory\","
        "\"modified\":\"1994-11-06T08:49:37Z\"},\n"
        "{\"name\":\"q\\\"\\\\\\u000a\xEF\xBF\xBD\",\"href\":\"q%22%5C%0A%FF\",\"type\":\"file\","
        "\"size\":5,\"modified\":\"1994-11-06T08:49:37Z\"}\n]}\n");
  TempTree empty;
  CHECK(page(empty, Options(), "/", "", listing_view("", "application/json")) ==
        "{\"path\":\"/\",\"truncated\":false,\"entries\":[\n]}\n");
}

TEST_CASE("clients choose HTML or JSON by Accept") {
  constexpr const char* kBrowser =
      "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
  CHECK(wants_html(kBrowser));
  CHECK_FALSE(wants_json(kBrowser));
  for (const char* accept :
       {"", "*/*", "text/*", "application/json", "text/html;q=0", "text/plain"}) {
    CAPTURE(accept);
    CHECK_FALSE(wants_html(accept));
  }
  CHECK(wants_json("application/json"));
  CHECK(wants_json("application/json, text/plain, */*"));
  CHECK(wants_json("text/html;q=0.5, Application/JSON"));
  CHECK(wants_json("application/json;charset=utf-8"));
  for (const char* accept : {"", "*/*", "application/json;q=0", "text/html, application/json"}) {
    CAPTURE(accept);
    CHECK_FALSE(wants_json(accept));
  }
}

TEST_CASE("an error page says the status and nothing else") {
  const std::string html = error_page(404, "Not Found");
  CHECK(has(html, "404"));
  CHECK(has(html, "<title>Not Found</title>"));
  CHECK_FALSE(has(html, "httpuv"));
  CHECK(html.size() < 2048);
}

TEST_CASE("names are escaped in text and in links") {
  TempTree tree;
  tree.write("<b>&\"'.txt", "x");
  tree.write("50% off?#1", "x");
  tree.write("c:colon", "x");
  tree.write("snow \xE2\x98\x83", "x");
  tree.write(
      "bad\xFF"
      "byte",
      "x");
  tree.write("new\nline", "x");
  const std::string html = page(tree, Options());
  CHECK(has(html, ">&lt;b&gt;&amp;&quot;&#39;.txt</a>"));
  CHECK_FALSE(has(html, "<b>"));
  CHECK(has(html, "href=\"%3Cb%3E%26%22%27.txt\""));
  CHECK(has(html, "href=\"50%25%20off%3F%231\""));
  CHECK(has(html, "href=\"c%3Acolon\""));
  CHECK(has(html, "href=\"snow%20%E2%98%83\">snow \xE2\x98\x83</a>"));
  CHECK(has(html,
            "href=\"bad%FFbyte\">bad\xEF\xBF\xBD"
            "byte</a>"));
  CHECK(has(html, "href=\"new%0Aline\">new\xEF\xBF\xBDline</a>"));
}

TEST_CASE("sizes and times") {
  TempTree tree;
  tree.write("empty", "");
  tree.write("small", std::string(1023, 'x'));
  tree.write("medium", std::string(1536, 'x'));
  tree.write("large", std::string(5 * 1024 * 1024, 'x'));
  tree.touch("small", 784111777);
  const std::string html = page(tree, Options());
  CHECK(has(html, "<td data-b=0>0 B<"));
  CHECK(has(html, "<td data-b=1023>1.0 KB<"));
  CHECK(has(html, "<td data-b=1536>1.5 KB<"));
  CHECK(has(html, "<td data-b=5242880>5.2 MB<"));
  CHECK(has(html, "<time datetime=1994-11-06T08:49:37Z>1994-11-06 08:49</time>"));
  CHECK(has(html, "4 files \xC2\xB7 5.2 MB"));
}

TEST_CASE("only what a request would get is shown") {
  TempTree tree;
  tree.write(".hidden", "x");
  tree.write("file", "x");
  tree.fifo("fifo");
  tree.symlink("file", "inside");
  tree.symlink("/etc", "outside");
  tree.symlink("nowhere", "dangling");
  Options options;
  std::string html = page(tree, options);
  CHECK(has(html, "\"file\""));
  CHECK(has(html, "\"inside\""));
  for (const char* name : {".hidden", "fifo", "outside", "dangling"}) {
    CAPTURE(name);
    // The page's script and style use such words, too.
    CHECK_FALSE(has(html, std::string("href=\"") + name));
  }
  options.dotfiles = true;
  options.symlinks = true;
  html = page(tree, options);
  CHECK(has(html, "\".hidden\""));
  CHECK(has(html, "\"outside/\""));
  CHECK_FALSE(has(html, "dangling"));
}

TEST_CASE("a name with a backslash is linked, but one that no request can name is not shown") {
  TempTree tree;
  tree.write("back\\slash", "x");
  tree.write("up\\..\\down", "x");
  const std::string html = page(tree, Options());
  CHECK(has(html, "href=\"back%5Cslash\">back\\slash</a>"));
  CHECK_FALSE(has(html, "down</a>"));
}

TEST_CASE("an empty directory says so") {
  TempTree tree;
  CHECK(has(page(tree, Options()), "This folder is empty."));
}
