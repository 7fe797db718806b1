#include <doctest/doctest.h>

#include <string>

#include "base/text/ascii.h"

namespace httpuv::base {
namespace {

TEST_CASE("lower_in_place folds the letters of ASCII and nothing else, at every offset") {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  std::string expected = all;
  for (char& c : expected) c = to_lower(c);
  for (std::size_t begin = 0; begin < 16; ++begin) {
    std::string text = all;
    lower_in_place(text.data() + begin, text.size() - begin);
    CHECK(text.substr(0, begin) == all.substr(0, begin));
    CHECK(text.substr(begin) == expected.substr(begin));
  }
  for (std::size_t size = 0; size < 20; ++size) {
    std::string text(size, 'Q');
    lower_in_place(text.data(), text.size());
    CHECK(text == std::string(size, 'q'));
  }
}

TEST_CASE("iequals") {
  CHECK(iequals("", ""));
  CHECK(iequals("Keep-Alive", "kEEP-aLIVE"));
  CHECK_FALSE(iequals("close", "closed"));
  CHECK_FALSE(iequals("@", "`"));        // 0x20 apart, but no letters
  CHECK_FALSE(iequals("\xC0", "\xE0"));  // letters of Latin-1
}

TEST_CASE("trim_ows takes spaces and tabs from both ends") {
  CHECK(trim_ows("") == "");
  CHECK(trim_ows(" \t ") == "");
  CHECK(trim_ows("\ta b\t ") == "a b");
  CHECK(trim_ows("\va\n") == "\va\n");
}

TEST_CASE("is_token is exactly tchar") {
  const std::string tchars =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  CHECK(is_token(tchars));
  CHECK_FALSE(is_token(""));
  for (int c = 0; c < 256; ++c) {
    const char ch = static_cast<char>(c);
    CAPTURE(c);
    CHECK(is_token_char(ch) == (tchars.find(ch) != std::string::npos));
    CHECK(is_token(std::string("a") + ch) == is_token_char(ch));
  }
}

TEST_CASE("is_field_value refuses controls but the tab") {
  CHECK(is_field_value(""));
  for (int c = 0; c < 256; ++c) {
    CAPTURE(c);
    const bool good = c == '\t' || (c >= 0x20 && c != 0x7F);
    for (const std::size_t position : {0, 7, 30, 39}) {
      std::string text(40, 'v');
      text[position] = static_cast<char>(c);
      CHECK(is_field_value(text) == good);
    }
  }
}

TEST_CASE("has_list_token") {
  CHECK(has_list_token("close", "close"));
  CHECK(has_list_token("keep-alive, Upgrade", "upgrade"));
  CHECK(has_list_token(",,\tclose ,", "close"));
  CHECK_FALSE(has_list_token("", "close"));
  CHECK_FALSE(has_list_token("closed", "close"));
  CHECK_FALSE(has_list_token("not close", "close"));
  CHECK_FALSE(has_list_token("a;close", "close"));
  CHECK_FALSE(has_list_token("a,,b", ""));
}

TEST_CASE("hex_value") {
  CHECK(hex_value('0') == 0);
  CHECK(hex_value('9') == 9);
  CHECK(hex_value('a') == 10);
  CHECK(hex_value('F') == 15);
  for (const char c : {'g', 'G', '/', ':', '@', '`', '\0', '\xFF'}) CHECK(hex_value(c) == -1);
}

}  // namespace
}  // namespace httpuv::base
