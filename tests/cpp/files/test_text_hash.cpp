#include "files/text_hash.h"

#include <doctest/doctest.h>

#include <bit>
#include <set>
#include <string>

using namespace httpuv::files;

TEST_CASE("the hash depends on every byte, on the length and on the seed") {
  std::set<std::uint64_t> seen;
  for (std::size_t size = 0; size <= 70; ++size) {
    const std::string text(size, 'x');
    REQUIRE(seen.insert(hash_text(text, 0)).second);
    REQUIRE(seen.insert(hash_text(text, 1)).second);
    CHECK(hash_text(text, 0) == hash_text(std::string(text), 0));
    for (std::size_t i = 0; i < size; ++i) {
      std::string other = text;
      other[i] = 'y';
      REQUIRE(seen.insert(hash_text(other, 0)).second);
    }
    REQUIRE(seen.insert(hash_text(std::string(size, '\0'), 0)).second == (size > 0));
  }
  CHECK(hash_seed() == hash_seed());
}

TEST_CASE("one changed bit changes about half of them") {
  int changed = 0;
  int samples = 0;
  for (std::size_t size = 1; size <= 40; ++size) {
    const std::string text(size, 'a');
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      std::string other = text;
      other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
      changed += std::popcount(hash_text(text, 5) ^ hash_text(other, 5));
      ++samples;
    }
  }
  CHECK(changed > samples * 30);
  CHECK(changed < samples * 34);
}
