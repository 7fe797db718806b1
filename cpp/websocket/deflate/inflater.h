// One decompressor: the payloads of a message's compressed frames in, the message out, bounded
// (RFC 7692 section 7.2.2).
//
// Owned by a DeflatePool and lent to one session at a time, or owned by one session. Not
// thread-safe. A failed one stays failed until reset(). One costs 41 KiB with zlib-ng, whatever the
// window; with zlib 7 KiB and the window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "websocket/frame/fault.h"

namespace httpuv::websocket {

class Inflater {
 public:
  explicit Inflater(int window_bits);
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  enum class Status : std::uint8_t { kMore /* call again */, kDone /* input used up */, kError };

  // Puts at most `room` bytes at `to`; consumes from the front of `input`. `produced` says how many
  // were put.
  Status inflate(std::string_view& input, char* to, std::size_t room, std::size_t& produced);

  // The tail the compressor cut off, 00 00 FF FF; call (until not kMore) after the message's last
  // byte.
  Status finish(char* to, std::size_t room, std::size_t& produced);

  Fault fault() const;
  void reset();  // a new stream with an empty window

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace httpuv::websocket
