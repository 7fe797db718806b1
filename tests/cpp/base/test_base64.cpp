#include <doctest/doctest.h>

#include <random>
#include <string>

#include "base/encode/base64.h"

namespace httpuv::base {
namespace {

TEST_CASE("base64 of the examples of RFC 4648 section 10, both ways") {
  const std::pair<std::string, std::string> examples[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xFB\xFF\xFE", "+//+"},
  };
  for (const auto& [bytes, text] : examples) {
    CHECK(base64_encode(bytes) == text);
    CHECK(base64_decode(text) == bytes);
  }
}

TEST_CASE("base64 round trip") {
  std::mt19937 random(4648);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text = base64_encode(bytes);
    CHECK(text.size() == (size + 2) / 3 * 4);
    CHECK(base64_decode(text) == bytes);
  }
}

TEST_CASE("base64_decode is strict") {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-v",
        "Zm_v", "Zh==", "Zm9=", "Z=g=", "Zm9v====", "\xC3\xA4zz"}) {
    CAPTURE(text);
    CHECK_FALSE(base64_decode(text).has_value());
  }
}

}  // namespace
}  // namespace httpuv::base
