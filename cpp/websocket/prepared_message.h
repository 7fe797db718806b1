// One message for many sessions: framed once, compressed once per window size in use, sent as the
// same bytes to all. Also the way to compress one large message away from the loop: a worker thread
// makes it with a pool of its own and hands it over.
//
// Built on any thread; then used by one thread at a time (the loop's). Plain owned data. Cannot
// fail: where compression fails or does not pay, the uncompressed frame is what every session gets.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "websocket/deflate_pool.h"

namespace httpuv::websocket {

class PreparedMessage {
 public:
  PreparedMessage(bool text, std::string_view payload);

  bool is_text() const { return text_; }
  std::size_t payload_size() const { return payload_size_; }
  std::string_view payload() const;

  // The frame as every session may send it.
  std::string_view plain() const { return plain_; }
  // The frame for sessions whose window is `window_bits` (8..15), made on first use. It refers to
  // nothing outside itself. The plain frame if compression would not make it smaller. Stays valid
  // as long as this object.
  std::string_view compressed(int window_bits, DeflatePool& pool);
  // True if compressed() would return at once; so that a worker thread can have done the work.
  bool has_compressed(int window_bits) const;

 private:
  std::string plain_;
  std::size_t payload_size_;
  bool text_;
  struct Variant {
    bool made = false;
    std::string frame;  // empty: not worth it
  };
  std::array<Variant, 8> compressed_;  // by window bits - 8
};

}  // namespace httpuv::websocket
