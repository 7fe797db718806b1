#include "base/text/text_hash.h"

#include <doctest/doctest.h>

#include <bit>
#include <set>
#include <string>

using namespace httpuv::base;

TEST_CASE("the values are those of SipHash-1-3") {
  // As CPython 3.11 hashes bytes with PYTHONHASHSEED=0, whose key is zero.
  CHECK(hash_text("a", {}) == 0x407448d2b89b1813);
  CHECK(hash_text("abcdefg", {}) == 0x6db12aae9070f506);
  CHECK(hash_text("abcdefgh", {}) == 0x3f7b849c0b8e35ea);
  CHECK(hash_text("The quick brown fox", {}) == 0x975e410714568333);
}

TEST_CASE("the hash depends on every byte, on the length and on the key") {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size <= 70; ++size) {
    const std::string text(size, 'x');
    REQUIRE(seen.insert(hash_text(text, {0, 0})).second);
    REQUIRE(seen.insert(hash_text(text, {1, 0})).second);
    REQUIRE(seen.insert(hash_text(text, {0, 1})).second);
    CHECK(hash_text(text, {}) == hash_text(std::string(text), {}));
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = text;
      other[i] = 'y';
      REQUIRE(seen.insert(hash_text(other, {})).second);
    }
    REQUIRE(seen.insert(hash_text(std::string(size, '\0'), {})).second == (size > 0));
  }
  CHECK(process_hash_key().low == process_hash_key().low);
}

TEST_CASE("one changed bit changes about half of them") {
  int changed = 0;
  int samples = 0;
  for (std::size_t size = 1; size <= 40; ++size) {
    const std::string text(size, 'a');
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      std::string other = text;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
      changed += std::popcount(hash_text(text, {5, 0}) ^ hash_text(other, {5, 0}));
      ++samples;
    }
  }
  CHECK(changed > samples * 30);
  CHECK(changed < samples * 34);
}
