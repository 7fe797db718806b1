#include "base/text/utf8.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

namespace httpuv::base {
namespace {

// The allowed values of the next byte (RFC 3629 section 4). After some lead bytes the second byte
// has a narrower range, which excludes overlong forms, surrogates and code points beyond U+10FFFF.
enum Utf8State : std::uint8_t {
  kStart,
  kOneMore,
  kTwoMore,
  kThreeMore,
  kAfterE0,  // A0..BF, or it is overlong
  kAfterED,  // 80..9F, or it is a surrogate
  kAfterF0,  // 90..BF, or it is overlong
  kAfterF4,  // 80..8F, or it is above U+10FFFF
  kInvalid,
  kStates,
};

constexpr Utf8State lead(unsigned char byte) {
  if (byte < 0x80) return kStart;
  if (byte < 0xC2) return kInvalid;  // a continuation, or the lead of an overlong pair
  if (byte < 0xE0) return kOneMore;
  if (byte == 0xE0) return kAfterE0;
  if (byte == 0xED) return kAfterED;
  if (byte < 0xF0) return kTwoMore;
  if (byte == 0xF0) return kAfterF0;
  if (byte < 0xF4) return kThreeMore;
  return byte == 0xF4 ? kAfterF4 : kInvalid;
}

constexpr Utf8State step(Utf8State state, unsigned char byte) {
  const auto within = [byte](unsigned char low, unsigned char high, Utf8State next) {
    return byte >= low && byte <= high ? next : kInvalid;
  };
  switch (state) {
    case kStart:
      return lead(byte);
    case kOneMore:
      return within(0x80, 0xBF, kStart);
    case kTwoMore:
      return within(0x80, 0xBF, kOneMore);
    case kThreeMore:
      return within(0x80, 0xBF, kTwoMore);
    case kAfterE0:
      return within(0xA0, 0xBF, kOneMore);
    case kAfterED:
      return within(0x80, 0x9F, kOneMore);
    case kAfterF0:
      return within(0x90, 0xBF, kTwoMore);
    case kAfterF4:
      return within(0x80, 0x8F, kTwoMore);
    case kInvalid:
    case kStates:
      break;
  }
  return kInvalid;
}

// The effect of a byte, in one word: the next state for each state, six bits apart. A state is
// stored as the number of bits to shift. So a byte costs a shift, and no branch depends on the text
// (Per Vognsen's "shift-based DFA").
constexpr int kStateBits = 6;
constexpr std::uint64_t kStateMask = (1U << kStateBits) - 1;
static_assert(kStates * kStateBits <= 64 && (kStates - 1) * kStateBits <= kStateMask);

constexpr std::uint8_t shift_of(Utf8State state) {
  return static_cast<std::uint8_t>(state * kStateBits);
}

constexpr std::array<std::uint64_t, 256> kTransitions = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t byte = 0; byte < table.size(); ++byte) {
    for (int state = 0; state < kStates; ++state) {
      const Utf8State next = step(static_cast<Utf8State>(state), static_cast<unsigned char>(byte));
      table[byte] |= std::uint64_t{shift_of(next)} << shift_of(static_cast<Utf8State>(state));
    }
  }
  return table;
}();

std::uint64_t run(std::uint64_t state, const char* data, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    state = kTransitions[static_cast<unsigned char>(data[i])] >> (state & kStateMask);
  }
  return state & kStateMask;
}

template <std::size_t kWords>
bool is_ascii(const char* data) {
  std::uint64_t words[kWords];
  std::memcpy(words, data, sizeof words);
  std::uint64_t all = 0;
  for (const std::uint64_t word : words) all |= word;
  return (all & 0x8080808080808080U) == 0;
}

// Removes whole blocks from the front; blocks of ASCII are checked word by word.
template <std::size_t kWords>
std::uint64_t run_blocks(std::uint64_t state, std::string_view& bytes) {
  constexpr std::size_t kBlock = kWords * sizeof(std::uint64_t);
  while (bytes.size() >= kBlock && state != shift_of(kInvalid)) {
    if (state != shift_of(kStart) || !is_ascii<kWords>(bytes.data())) {
      state = run(state, bytes.data(), kBlock);
    }
    bytes.remove_prefix(kBlock);
  }
  return state;
}

}  // namespace

bool Utf8Validator::feed(std::string_view bytes) {
  std::uint64_t state = run_blocks<4>(state_, bytes);
  state = run_blocks<1>(state, bytes);
  state = run(state, bytes.data(), bytes.size());
  state_ = static_cast<std::uint8_t>(state);
  return state != shift_of(kInvalid);
}

bool is_utf8(std::string_view bytes) {
  Utf8Validator validator;
  return validator.feed(bytes) && validator.complete();
}

bool is_ascii(std::string_view bytes) {
  constexpr std::size_t kBlock = 4 * sizeof(std::uint64_t);
  for (; bytes.size() >= kBlock; bytes.remove_prefix(kBlock)) {
    if (!is_ascii<4>(bytes.data())) return false;
  }
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return (c & 0x80) == 0; });
}

}  // namespace httpuv::base
