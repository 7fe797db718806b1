#include "files/listing.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "temp_tree.h"

using namespace httpuv::files;

namespace {

std::string page(const TempTree& tree, const Options& options, bool has_parent = false) {
  OpenerState state;
  const httpuv::base::Descriptor root(open_root(tree.root()));
  const Opener opener(root.get(), options.symlinks, state);
  Opened directory = opener.open("");
  REQUIRE(directory.is_directory());
  return listing_page({std::move(directory.fd), "/files/", "", has_parent}, opener, options);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("directories first, then files, by name whatever their case") {
  TempTree tree;
  for (const char* name : {"b.txt", "A.txt", "c.txt", "Z/x", "a/x"}) tree.write(name, "x");
  const std::string html = page(tree, Options());
  std::size_t at = 0;
  for (const char* link : {"\"a/\"", "\"Z/\"", "\"A.txt\"", "\"b.txt\"", "\"c.txt\""}) {
    CAPTURE(link);
    const std::size_t place = html.find(link);
    REQUIRE(place != std::string::npos);
    CHECK(place > at);
    at = place;
  }
  CHECK(html.starts_with("<!DOCTYPE html>"));
  CHECK(has(html, "<h1>/files/</h1>"));
  CHECK_FALSE(has(html, "<script"));
  CHECK_FALSE(has(html, "\"../\""));
  CHECK(has(page(tree, Options(), true), "<a href=\"../\">../</a>"));
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
  CHECK(has(html, "title=\"0 bytes\">0 B<"));
  CHECK(has(html, "title=\"1023 bytes\">1023 B<"));
  CHECK(has(html, "title=\"1536 bytes\">1.5 KiB<"));
  CHECK(has(html, "title=\"5242880 bytes\">5.0 MiB<"));
  CHECK(has(html, "<time datetime=\"1994-11-06T08:49:37Z\">1994-11-06 08:49</time>"));
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
    CHECK_FALSE(has(html, name));
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
  CHECK_FALSE(has(html, "down"));
}

TEST_CASE("an empty directory says so") {
  TempTree tree;
  CHECK(has(page(tree, Options()), "This directory is empty."));
}
