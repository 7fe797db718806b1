#include "base/text/text_hash.h"

#include <bit>
#include <random>

namespace httpuv::base {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1;
    v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }

  void mix(std::uint64_t word) {
    v3 ^= word;
    round();
    v0 ^= word;
  }
};

// Little-endian on every machine. Compilers turn it into one load if possible.
std::uint64_t load_word(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < count; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return word;
}

}  // namespace

const HashKey& process_hash_key() {
  static const HashKey key = [] {
    std::random_device device;
    const auto word = [&] { return (static_cast<std::uint64_t>(device()) << 32) | device(); };
    return HashKey{word(), word()};
  }();
  return key;
}

std::uint64_t hash_text(std::string_view text, const HashKey& key) {
  // The constants are "somepseudorandomlygeneratedbytes", as the paper has them.
  SipState state{key.low ^ 0x736f6d6570736575, key.high ^ 0x646f72616e646f6d,
                 key.low ^ 0x6c7967656e657261, key.high ^ 0x7465646279746573};
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left >= 8; at += 8, left -= 8) state.mix(load_word(at, 8));
  state.mix(load_word(at, left) | static_cast<std::uint64_t>(text.size()) << 56);
  state.v2 ^= 0xff;
  state.round();
  state.round();
  state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace httpuv::base
