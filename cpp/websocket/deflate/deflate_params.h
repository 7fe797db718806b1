// The negotiated parameters of permessage-deflate (RFC 7692 section 7.1), and the server's options
// for the negotiation.
//
// Plain data, any thread.
#pragma once

#include <cstdint>

namespace httpuv::websocket {

struct DeflateParams {
  bool server_no_context_takeover = false;  // every message we send starts with an empty window
  bool client_no_context_takeover = false;  // every message the client sends does
  std::uint8_t server_window_bits = 15;     // we never refer back further than 2^this
  std::uint8_t client_window_bits = 15;     // nor does the client
};

// The server's wishes. The defaults keep nothing between messages, so that a connection with
// compression costs no more memory than one without: contexts are borrowed from the loop's
// DeflatePool for the length of a message. (zlib-ng's compressor takes 128 KiB for its hash table
// alone, whatever the window; see deflater.h.)
struct DeflateOptions {
  bool server_context_takeover = false;      // keep our compressor's window from message to message
  bool client_context_takeover = false;      // let the client keep its own
  std::uint8_t server_max_window_bits = 12;  // 8..15; less if the client asks for less
  // 9..15; said only to a client that offers client_max_window_bits.
  std::uint8_t client_max_window_bits = 15;
};

}  // namespace httpuv::websocket
