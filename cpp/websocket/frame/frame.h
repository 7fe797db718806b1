// One frame's header, read and written (RFC 6455 section 5.2).
//
// The reader is a server's: it wants masked frames and minimal lengths, and hands on what concerns
// whole messages (opcodes in order, RSV1, size limits) to MessageReader. No thread affinity, no
// heap. A failed reader stays failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "websocket/frame/fault.h"
#include "websocket/frame/mask.h"

namespace httpuv::websocket {

enum class Opcode : std::uint8_t {
  kContinuation = 0x0,
  kText = 0x1,
  kBinary = 0x2,
  kClose = 0x8,
  kPing = 0x9,
  kPong = 0xA,
};

inline constexpr bool is_control(Opcode opcode) {
  return (static_cast<std::uint8_t>(opcode) & 0x8) != 0;
}

struct FrameHeader {
  std::uint64_t length = 0;
  MaskKey mask;
  Opcode opcode = Opcode::kContinuation;
  bool fin = false;
  bool rsv1 = false;
};

class FrameHeaderReader {
 public:
  enum class Result : std::uint8_t { kNeedMore, kHeader, kError };

  // Consumes from the front of `input`, never past the header. kNeedMore: everything was consumed.
  // kHeader: `header` is filled and the reader is ready for the next one.
  Result next(std::string_view& input, FrameHeader& header);

  Fault fault() const { return fault_; }
  // No byte of a header is waiting for the rest of it.
  bool idle() const { return have_ == 0; }

 private:
  static constexpr std::size_t kMaxHeader = 14;  // 2 + 8 length bytes + 4 key bytes

  Result next_in_pieces(std::string_view& input, FrameHeader& header);
  // Gathers bytes until `want` of them are there.
  bool fill(std::string_view& input, std::size_t want);

  unsigned char bytes_[kMaxHeader];  // a header that came in pieces
  std::uint8_t have_ = 0;
  Fault fault_ = Fault::kNone;
};

// What a server writes in front of a payload; never masked (section 5.1).
inline constexpr std::size_t kMaxServerHeader = 10;

// Writes the header into `out` and returns its size: 2, 4 or 10.
std::size_t write_frame_header(char (&out)[kMaxServerHeader], Opcode opcode, bool fin, bool rsv1,
                               std::uint64_t length);

// Appends a whole unfragmented frame.
void append_frame(std::string& out, Opcode opcode, bool rsv1, std::string_view payload);

}  // namespace httpuv::websocket
