#include "files/text_hash.h"

#include <cstring>
#include <random>

namespace httpuv::files {
namespace {

__extension__ using Wide = unsigned __int128;

// The product of two words folded to one: every bit of the result depends on every bit of both.
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load(const char* bytes, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, size);
  return word;
}

// Odd words whose bits are well mixed: the fractions of the square roots of 2, 3 and 5.
constexpr std::uint64_t kRootOf2 = 0x6a09e667f3bcc909;
constexpr std::uint64_t kRootOf3 = 0xbb67ae8584caa73b;
constexpr std::uint64_t kRootOf5 = 0x3c6ef372fe94f82b;

}  // namespace

std::uint64_t hash_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
  }();
  return seed;
}

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  std::uint64_t state = fold(seed ^ kRootOf2, kRootOf3 ^ text.size());
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 16; at += 16, left -= 16) {
    state = fold(load(at, 8) ^ kRootOf3 ^ state, load(at + 8, 8) ^ kRootOf5 ^ (state >> 32));
  }
  const std::uint64_t low = load(at, left < 8 ? left : 8);
  const std::uint64_t high = left > 8 ? load(at + 8, left - 8) : 0;
  return fold(fold(low ^ kRootOf5 ^ state, high ^ kRootOf2 ^ seed), kRootOf3);
}

}  // namespace httpuv::files
