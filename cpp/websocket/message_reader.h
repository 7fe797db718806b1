// From frames to messages (RFC 6455 sections 5.4 to 5.6, RFC 7692 section 6.2): fragments are put together, control
// frames come out between them, compressed messages are inflated, text is checked as it comes.
//
// The receiving half of a Session; same thread, same owner. Nothing is allocated because a length was
// announced, only for bytes that came. A failed reader stays failed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace httpuv::websocket {

enum class Event : std::uint8_t { kNeedMore, kMessage, kPing, kPong, kClose, kError };

struct SessionOptions {
  std::uint64_t max_message_bytes = std::uint64_t{16} << 20;  // after inflation; more is 1009
  std::size_t compress_threshold = 1024;                      // shorter messages go out uncompressed
};

}  // namespace httpuv::websocket
