// The chunked transfer coding, reading side (RFC 9112 section 7.1), up to the trailer section.
//
// Sans-I/O, no thread affinity; part of RequestParser. Fails at the first byte that violates the
// syntax, and stays failed. Chunk extensions are checked and dropped.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message/refusal.h"

namespace httpuv::http {

class ChunkReader {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,  // everything was consumed
    kData,      // `data` has some
    kLast,      // the last chunk's line has ended; a trailer section follows
    kError,
  };

  // `max_data` bounds the data of all chunks. What their framing takes beyond the usual is bounded
  // by `max_framing`.
  void start(std::uint64_t max_data, std::uint64_t max_framing);

  // Consumes from the front of `input`; `data` becomes a part of that.
  Event next(std::string_view& input, std::string_view& data);

  [[nodiscard]] Refusal refusal() const { return refusal_; }

  // The part of `max_framing` that is left for the trailer section.
  [[nodiscard]] std::uint64_t framing_left() const { return framing_left_; }

 private:
  enum class State : std::uint8_t {
    kSizeStart,
    kSize,
    kAfterSize,
    kNameStart,  // behind ";"
    kName,
    kAfterName,
    kValueStart,  // behind "="
    kValue,
    kQuoted,
    kQuotedPair,
    kQuotedEnd,
    kAfterValue,
    kLineFeed,
    kData,
    kDataCr,
    kDataLf,
    kLast,
    kFailed,
  };

  State step(char c);
  State step_size(char c);
  State end_of_line();

  std::uint64_t size_ = 0;  // of the chunk, or what is left of it
  std::uint64_t data_left_ = 0;
  std::uint64_t framing_left_ = 0;
  State state_ = State::kFailed;
  Refusal refusal_ = Refusal::kNone;
};

}  // namespace httpuv::http
