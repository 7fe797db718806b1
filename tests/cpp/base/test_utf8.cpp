#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "base/text/utf8.h"

namespace httpuv::base {
namespace {

std::string encode(char32_t code) {
  std::string out;
  const auto put = [&out](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 63));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 63));
    put(0x80 | (code >> 6 & 63));
    put(0x80 | (code & 63));
  }
  return out;
}

// Where the first byte is that makes the text impossible, fed byte by byte; npos if none.
std::size_t first_bad(const std::string& text) {
  Utf8Validator validator;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!validator.feed(std::string_view(text).substr(i, 1))) return i;
  }
  return std::string::npos;
}

TEST_CASE("every code point is UTF-8, surrogates are not") {
  for (char32_t code = 0; code <= 0x110000; ++code) {
    const bool good = code < 0x110000 && (code < 0xD800 || code > 0xDFFF);
    if (is_utf8(encode(code)) != good) FAIL("code point ", static_cast<unsigned>(code));
  }
}

TEST_CASE("fails at the first impossible byte") {
  CHECK(first_bad("\xC0\x80") == 0);
  CHECK(first_bad("\xC1\xBF") == 0);
  CHECK(first_bad("\x80") == 0);
  CHECK(first_bad("\xF5\x80\x80\x80") == 0);
  CHECK(first_bad("\xFE") == 0);
  CHECK(first_bad("\xE0\x9F\xBF") == 1);
  CHECK(first_bad("\xED\xA0\x80") == 1);
  CHECK(first_bad("\xF0\x8F\xBF\xBF") == 1);
  CHECK(first_bad("\xF4\x90\x80\x80") == 1);
  CHECK(first_bad("\xC3(") == 1);
  CHECK(first_bad("\xE2\x82(") == 2);
  CHECK(first_bad("\xF0\x9F\x98"
                  "a") == 3);
  CHECK(first_bad("\xF4\x8F\xBF\xBF") == std::string::npos);
  CHECK(first_bad(std::string("a\0b", 3)) == std::string::npos);
}

TEST_CASE("text may not end inside a character") {
  for (const std::string whole : {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    for (std::size_t size = 1; size < whole.size(); ++size) {
      Utf8Validator validator;
      CHECK(validator.feed(whole.substr(0, size)));
      CHECK_FALSE(validator.complete());
      CHECK_FALSE(is_utf8(whole.substr(0, size)));
      CHECK(validator.feed(whole.substr(size)));
      CHECK(validator.complete());
    }
  }
}

TEST_CASE("stays failed until reset") {
  Utf8Validator validator;
  CHECK_FALSE(validator.feed("\xFF"));
  CHECK_FALSE(validator.feed("a"));
  CHECK_FALSE(validator.feed(""));
  CHECK_FALSE(validator.complete());
  validator.reset();
  CHECK(validator.feed("a"));
  CHECK(validator.complete());
}

// The wide steps over ASCII must not run past what is not.
TEST_CASE("a bad byte is found at every place in long text, cut anywhere") {
  std::mt19937 random(3629);
  for (std::size_t size = 1; size < 100; ++size) {
    for (std::size_t bad = 0; bad < size; ++bad) {
      std::string text(size, 'x');
      CHECK(is_utf8(text));
      text[bad] = '\xFF';
      CHECK_FALSE(is_utf8(text));
    }
  }
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    while (text.size() < 80) {
      const unsigned kind = random() % 8;
      if (kind < 5) {
        text.append(random() % 40, 'a');
      } else if (kind < 7) {
        text.append(encode(0x80 + random() % 0xD000));
      } else if (random() % 4 == 0) {
        text.push_back(static_cast<char>(random()));
      }
    }
    const bool whole = is_utf8(text);
    Utf8Validator validator;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t size = 1 + random() % 20;
      validator.feed(rest.substr(0, size));
      rest.remove_prefix(std::min(size, rest.size()));
    }
    CHECK(validator.complete() == whole);
    CHECK((first_bad(text) == std::string::npos) >= whole);
  }
}

TEST_CASE("one byte that is not ASCII is seen, wherever it stands") {
  for (std::size_t size = 0; size < 100; ++size) {
    std::string text(size, '\x7F');
    CHECK(is_ascii(text));
    for (std::size_t i = 0; i < size; ++i) {
      text[i] = '\x80';
      CHECK_FALSE(is_ascii(text));
      text[i] = '\x7F';
    }
  }
}

}  // namespace
}  // namespace httpuv::base
