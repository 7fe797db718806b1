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

template <class Word>
std::uint64_t load(const char* bytes) {
  Word word = 0;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

std::uint64_t byte(char c) {
  return static_cast<unsigned char>(c);
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
    state = fold(load<std::uint64_t>(at) ^ kRootOf3 ^ state,
                 load<std::uint64_t>(at + 8) ^ kRootOf5 ^ (state >> 32));
  }
  // The rest as two words that may overlap: the size is in the state already.
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (left >= 8) {
    low = load<std::uint64_t>(at);
    high = load<std::uint64_t>(at + left - 8);
  } else if (left >= 4) {
    low = load<std::uint32_t>(at);
    high = load<std::uint32_t>(at + left - 4);
  } else if (left > 0) {
    low = byte(at[0]) | byte(at[left / 2]) << 8 | byte(at[left - 1]) << 16;
  }
  return fold(fold(low ^ kRootOf5 ^ state, high ^ kRootOf2 ^ seed), kRootOf3);
}

}  // namespace httpuv::files
