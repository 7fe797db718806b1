#include "http/parse/chunk_reader.h"

#include <limits>

#include "base/text/ascii.h"

namespace httpuv::http {
namespace {

// The framing that each chunk is allowed: its size line and its line end. So a body of many small
// chunks is accepted, and one with long extensions or endless zeros is not.
constexpr std::uint64_t kFramingPerChunk = 16;

bool is_space(char c) {
  return c == ' ' || c == '\t';
}

// What may be quoted: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.6.4).
bool is_text(char c) {
  return base::is_field_value(std::string_view(&c, 1));
}

}  // namespace

void ChunkReader::start(std::uint64_t max_data, std::uint64_t max_framing) {
  size_ = 0;
  data_left_ = max_data;
  framing_left_ = max_framing;
  state_ = State::kSizeStart;
  refusal_ = Refusal::kNone;
}

ChunkReader::Event ChunkReader::next(std::string_view& input, std::string_view& data) {
  while (state_ != State::kFailed && !input.empty()) {
    if (state_ == State::kData) {
      data = input.substr(0, size_);
      input.remove_prefix(data.size());
      size_ -= data.size();
      if (size_ == 0) state_ = State::kDataCr;
      return Event::kData;
    }
    if (framing_left_ == 0) {
      refusal_ = Refusal::kFramingTooLarge;
      state_ = State::kFailed;
      break;
    }
    --framing_left_;
    state_ = step(input.front());
    if (state_ == State::kFailed) {
      if (refusal_ == Refusal::kNone) refusal_ = Refusal::kChunk;
      break;
    }
    input.remove_prefix(1);
    if (state_ == State::kLast) return Event::kLast;
  }
  return state_ == State::kFailed ? Event::kError : Event::kNeedMore;
}

// chunk-ext = *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )
ChunkReader::State ChunkReader::step(char c) {
  switch (state_) {
    case State::kSizeStart:
    case State::kSize:
      return step_size(c);
    case State::kAfterSize:
    case State::kAfterValue:
      if (is_space(c)) return state_;
      return c == ';' ? State::kNameStart : State::kFailed;
    case State::kNameStart:
      if (is_space(c)) return state_;
      return base::is_token_char(c) ? State::kName : State::kFailed;
    case State::kName:
      if (base::is_token_char(c)) return state_;
      if (c == '\r') return State::kLineFeed;
      [[fallthrough]];
    case State::kAfterName:
      if (is_space(c)) return State::kAfterName;
      if (c == '=') return State::kValueStart;
      return c == ';' ? State::kNameStart : State::kFailed;
    case State::kValueStart:
      if (is_space(c)) return state_;
      if (c == '"') return State::kQuoted;
      return base::is_token_char(c) ? State::kValue : State::kFailed;
    case State::kValue:
      if (base::is_token_char(c)) return state_;
      [[fallthrough]];
    case State::kQuotedEnd:
      if (c == '\r') return State::kLineFeed;
      if (c == ';') return State::kNameStart;
      return is_space(c) ? State::kAfterValue : State::kFailed;
    case State::kQuoted:
      if (c == '"') return State::kQuotedEnd;
      if (c == '\\') return State::kQuotedPair;
      return is_text(c) ? state_ : State::kFailed;
    case State::kQuotedPair:
      return is_text(c) ? State::kQuoted : State::kFailed;
    case State::kLineFeed:
      return c == '\n' ? end_of_line() : State::kFailed;
    case State::kDataCr:
      return c == '\r' ? State::kDataLf : State::kFailed;
    case State::kDataLf:
      return c == '\n' ? State::kSizeStart : State::kFailed;
    case State::kData:
    case State::kLast:
    case State::kFailed:
      break;
  }
  return State::kFailed;
}

ChunkReader::State ChunkReader::step_size(char c) {
  const int digit = base::hex_value(c);
  if (digit >= 0) {
    if (size_ > std::numeric_limits<std::uint64_t>::max() >> 4) {
      refusal_ = Refusal::kBodyTooLarge;
      return State::kFailed;
    }
    size_ = size_ << 4 | static_cast<std::uint64_t>(digit);
    return State::kSize;
  }
  if (state_ == State::kSizeStart) return State::kFailed;
  if (c == '\r') return State::kLineFeed;
  if (c == ';') return State::kNameStart;
  return is_space(c) ? State::kAfterSize : State::kFailed;
}

ChunkReader::State ChunkReader::end_of_line() {
  if (size_ == 0) return State::kLast;
  if (size_ > data_left_) {
    refusal_ = Refusal::kBodyTooLarge;
    return State::kFailed;
  }
  data_left_ -= size_;
  framing_left_ += kFramingPerChunk;
  return State::kData;
}

}  // namespace httpuv::http
