// One message for many sessions: framed once, compressed once per window size in use, sent as the
// same bytes to all. A large one is compressed away from the loop (SlicedCompression).
//
// Built on any thread; then used by one thread at a time (the loop's). Plain owned data. Cannot
// fail: where compression fails or does not pay, the uncompressed frame is what every session gets.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/deflate/deflate_pool.h"

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
  // Bytes of all frames that were made of it.
  std::size_t memory() const;
  // Whether that was made already.
  bool is_made(int window_bits) const { return find(window_bits) != nullptr; }

 private:
  std::string plain_;
  std::size_t payload_size_;
  bool text_;
  struct Variant {
    int window_bits;
    std::string frame;  // empty: not worth it
  };
  const Variant* find(int window_bits) const;
  Variant& set_compressed(int window_bits, std::string_view body);
  friend class SlicedCompression;

  // A few at most, and none for most messages. Apart from each other: frames that were handed out
  // stay where they are.
  std::vector<std::unique_ptr<Variant>> compressed_;
};

// Compresses a large message for several windows, in slices of about a millisecond, on another
// thread than the loop's. Until it is done only plain() of the message may be used.
class SlicedCompression {
 public:
  // `windows`: bits, each 8..15. The message outlives this.
  SlicedCompression(PreparedMessage& message, std::vector<int> windows);

  bool compress();  // true: there is more to do

 private:
  PreparedMessage& message_;
  std::vector<int> windows_;  // the last is the one that is being made
  std::unique_ptr<Deflater> deflater_;
  std::string_view rest_;
  std::string body_;
};

}  // namespace httpuv::websocket
