#include <doctest/doctest.h>

#include <string>

#include "base/encode/percent.h"

namespace httpuv::base {
namespace {

TEST_CASE("percent_decode") {
  CHECK(percent_decode("") == "");
  CHECK(percent_decode("/a/b") == "/a/b");
  CHECK(percent_decode("%41%6a%6A") == "Ajj");
  CHECK(percent_decode("/%e2%82%ac+%2F%00%25") == std::string("/\xE2\x82\xAC+/\0%", 8));
  CHECK(percent_decode("%2541") == "%41");  // once
  for (const char* text : {"%", "%4", "a%", "%4g", "%g4", "%%41", "%-1", "% 1", "ok%2"}) {
    CAPTURE(text);
    CHECK_FALSE(percent_decode(text).has_value());
  }
}

TEST_CASE("percent_encode_path keeps what a path may have") {
  const std::string kept = "/AZaz09-._~!$&'()*+,;=:@";
  CHECK(percent_encode_path(kept) == kept);
  CHECK(percent_encode_path("a b?c#d%[\"<\\^`{|") == "a%20b%3Fc%23d%25%5B%22%3C%5C%5E%60%7B%7C");
  CHECK(percent_encode_path("\xC3\xA4\r\n") == "%C3%A4%0D%0A");
}

TEST_CASE("decoding gives back what was encoded") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  CHECK(percent_decode(percent_encode_path(all)) == all);
}

}  // namespace
}  // namespace httpuv::base
