// The faults of a WebSocket peer, and their close codes (RFC 6455 section 7.4.1).
//
// Plain values, any thread, no state. A fault is final: its reporter stays failed.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::websocket {

enum class Fault : std::uint8_t {
  kNone,
  kReservedBits,            // RSV1-3 set without an extension that gives them a meaning
  kReservedOpcode,          // opcodes 3-7 and 0xB-0xF
  kNotMasked,               // a client must mask every frame (section 5.1)
  kLengthNotMinimal,        // the length must be written in the fewest bytes (section 5.2)
  kLengthTooLarge,          // the top bit of a 64-bit length must be 0 (section 5.2)
  kControlTooLong,          // a control frame carries at most 125 bytes (section 5.5)
  kControlFragmented,       // a control frame cannot be fragmented (section 5.5)
  kUnexpectedContinuation,  // nothing to continue (section 5.4)
  kExpectedContinuation,    // a new message inside a fragmented one (section 5.4)
  kBadCloseLength,          // a close payload of one byte (section 5.5.1)
  kBadCloseCode,            // a code that must not appear on the wire (section 7.4)
  kBadCloseReason,          // a close reason that is not UTF-8
  kBadUtf8,                 // a text message that is not UTF-8 (section 8.1)
  kBadDeflate,              // not a DEFLATE stream (RFC 7692 section 7.2.2)
  kMessageTooBig,           // larger than the limit, announced or inflated
  kOutOfMemory,             // the compression library could not allocate
};

// The code our Close frame carries for this fault: 1002, 1007, 1009 or 1011; 0 for kNone.
std::uint16_t close_code_of(Fault fault);

// One short English phrase for the log and for the close reason; "" for kNone.
std::string_view fault_text(Fault fault);

}  // namespace httpuv::websocket
