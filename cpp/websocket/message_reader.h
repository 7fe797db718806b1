// From frames to messages (RFC 6455 sections 5.4 to 5.6, RFC 7692 section 6.2): fragments are put
// together, control frames come out between them, compressed messages are inflated, text is checked
// as it comes.
//
// The receiving half of a Session; same thread, same owner. Memory is taken for bytes that came,
// never because a length was announced. A failed reader stays failed, and holds nothing.
// More than 25 members and methods, because a frame, its fragments, its text and its inflation each
// have a state that outlives a piece of input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/text/utf8.h"
#include "websocket/deflate/deflate_params.h"
#include "websocket/deflate/deflate_pool.h"
#include "websocket/frame/fault.h"
#include "websocket/frame/frame.h"
#include "websocket/message.h"

namespace httpuv::websocket {

enum class Event : std::uint8_t {
  kNeedMore,
  kPause,  // much was inflated: call next() again, after other connections had their turn
  kMessage,
  kPing,
  kPong,
  kClose,
  kError
};

struct SessionOptions {
  std::uint64_t max_message_bytes = std::uint64_t{16} << 20;  // after inflation; more is 1009
  std::size_t inflate_step = 0;           // after so many inflated bytes comes kPause; 0: never
  std::size_t compress_threshold = 1024;  // shorter messages go out uncompressed
};

class MessageReader {
 public:
  // Both outlive the reader. `pool` null: compression was not negotiated.
  MessageReader(const SessionOptions* options, const DeflateParams& deflate, DeflatePool* pool);

  // Consumes from the front of `input` up to the next event. kNeedMore: `input` is empty now.
  // kPause: the next call goes on, also if `input` is empty. After kClose and kError nothing more
  // is read.
  // `block` and read_into(): see Session.
  Event next(std::string_view& input, std::string* block = nullptr);
  std::span<char> read_into();

  // After kMessage. take_message() moves it out, once.
  bool is_text() const { return text_; }
  Message take_message();

  // After kPing and kPong; after kClose for good.
  std::string_view control_payload() const { return control_; }

  // After kError.
  Fault fault() const { return fault_; }

  // From now on only kClose and kError come out; messages, pings and pongs are skipped without
  // being stored.
  void start_discarding();

  // Bytes of memory for a message that is not complete.
  std::size_t buffered() const { return message_.held() + (clear_ ? clear_->size() : 0); }
  const DeflateParams& deflate_params() const { return deflate_; }
  DeflatePool* pool() const { return pool_; }
  const SessionOptions& options() const { return *options_; }

 private:
  Fault begin_frame();
  Fault take_plain(std::string_view masked, std::string* block);
  Fault unmask(char* bytes, std::size_t size);
  Fault take_compressed(std::string_view& masked);
  Fault inflate(std::string_view input);
  bool pause_due();
  std::span<char> inflate_into();
  Fault append_inflated(const char* data, std::size_t size);
  Fault finish_inflating();
  Fault end_message();
  Event end_control();
  Event fail(Fault fault);
  void release();
  void release_inflater();

  const SessionOptions* options_;
  DeflatePool* pool_;
  std::unique_ptr<Inflater> inflater_;  // between messages only with context takeover
  Message message_;
  std::string control_;
  std::unique_ptr<std::string> clear_;  // unmasked, from before a pause, to be inflated
  std::size_t inflated_ = 0;            // bytes since the last pause
  std::uint64_t remaining_ = 0;         // of the current frame's payload
  std::uint64_t compressed_ = 0;        // bytes of the current message before inflation
  FrameHeader frame_;
  FrameHeaderReader header_reader_;
  DeflateParams deflate_;
  base::Utf8Validator utf8_;
  Fault fault_ = Fault::kNone;
  bool in_frame_ = false;
  bool in_message_ = false;     // a first fragment came, the last did not
  bool text_ = false;           // of the current, or the last, message
  bool inflating_ = false;      // the current message is compressed
  bool message_ready_ = false;  // kMessage was the last event
  bool paused_ = false;         // kPause was the last event
  bool discarding_ = false;
  bool finished_ = false;  // kClose or kError came out
};

}  // namespace httpuv::websocket
