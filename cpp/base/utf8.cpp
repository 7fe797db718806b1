#include "base/utf8.h"

#include <cstddef>
#include <cstring>

namespace httpuv::base {
namespace {

// What the next byte may be (RFC 3629 section 4). After some lead bytes the second byte has a
// narrower range, which is what keeps overlong forms, surrogates and code points past the end out.
enum State : std::uint8_t {
  kStart,
  kOneMore,
  kTwoMore,
  kThreeMore,
  kAfterE0,  // A0..BF, or it is overlong
  kAfterED,  // 80..9F, or it is a surrogate
  kAfterF0,  // 90..BF, or it is overlong
  kAfterF4,  // 80..8F, or it is above U+10FFFF
  kInvalid,
};

State lead(unsigned char byte) {
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

State step(State state, unsigned char byte) {
  const auto within = [byte](unsigned char low, unsigned char high, State next) {
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
      break;
  }
  return kInvalid;
}

// How many bytes at the front are surely ASCII; a multiple of 8, or of 32 in long runs.
std::size_t ascii_run(const char* data, std::size_t size) {
  constexpr std::uint64_t kTopBits = 0x8080808080808080U;
  std::size_t i = 0;
  std::uint64_t words[4];
  for (; i + sizeof words <= size; i += sizeof words) {
    std::memcpy(words, data + i, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & kTopBits) != 0) break;
  }
  for (; i + 8 <= size; i += 8) {
    std::memcpy(words, data + i, 8);
    if ((words[0] & kTopBits) != 0) break;
  }
  return i;
}

}  // namespace

bool Utf8Validator::feed(std::string_view bytes) {
  auto state = static_cast<State>(state_);
  std::size_t i = 0;
  while (i < bytes.size() && state != kInvalid) {
    if (state == kStart && static_cast<unsigned char>(bytes[i]) < 0x80) {
      const std::size_t run = ascii_run(bytes.data() + i, bytes.size() - i);
      i += run > 0 ? run : 1;
      continue;
    }
    state = step(state, static_cast<unsigned char>(bytes[i++]));
  }
  state_ = state;
  return state != kInvalid;
}

bool is_utf8(std::string_view bytes) {
  Utf8Validator validator;
  return validator.feed(bytes) && validator.complete();
}

}  // namespace httpuv::base
