// One WebSocket connection after its handshake, without I/O: bytes in, events out; messages in,
// frames out (RFC 6455 sections 5 to 8, RFC 7692). The server's side.
//
// Lives on one thread at a time (the loop's); owned by the connection. It has no clock and no
// socket: deadlines (close handshake, pong) belong to the caller. An idle session is less than 200
// bytes and holds no heap memory but a control frame's last payload (at most 125 bytes), unless
// context takeover was negotiated and used. It fails by Event::kError, for good.
//
// The life of a session:
//
//   open      messages, pings and pongs come as events; append_*() works.
//   closing   we sent Close (append_close) and wait for the peer's. What it still sends is checked
//             and dropped; append_*() appends nothing and returns false.
//   closed    Close came, or the peer broke the protocol. Input is ignored. Messages may go out
//             until append_reply(): answers to what came before. Then the caller flushes what it
//             has to send and closes the connection.
//
// Usage: feed what was read, until kNeedMore:
//
//   for (Event event; (event = session.next(input)) != Event::kNeedMore;) {
//     if (event == Event::kMessage) deliver(session.is_text(), session.take_message());
//     if (event == Event::kPong) alive();
//     if (event == Event::kClose || event == Event::kError) closed();
//     session.append_reply(out);
//   }
// More than 25 members and methods, because each kind of message has a method, and most of the
// others are questions of one line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "websocket/deflate/deflate_params.h"
#include "websocket/deflate/deflate_pool.h"
#include "websocket/frame/close_frame.h"
#include "websocket/message_reader.h"
#include "websocket/prepared_message.h"

namespace httpuv::websocket {

class Session {
 public:
  enum class State : std::uint8_t { kOpen, kClosing, kClosed };

  // `options` (and `pool`) outlive the session and may be shared by any number of them.
  explicit Session(const SessionOptions* options);
  Session(const SessionOptions* options, const DeflateParams& deflate, DeflatePool* pool);

  // ---- In ----

  // Consumes from the front of `input` up to the next event. kNeedMore: `input` is empty now.
  // kPause: the next call, after a while, goes on with what is left of it (perhaps nothing). A
  // caller that stops calling has back-pressure and keeps the unread rest itself.
  // `block`: the whole spare string (base::SpareStrings::take_whole()) that `input` stands in, null
  // if it stands elsewhere. A long payload is unmasked there and keeps it: it is empty then, and
  // the rest of `input` stands in the message, which must stay as long as that is used.
  Event next(std::string_view& input, std::string* block = nullptr);

  // Where the next input is to be put, because it continues a long message; empty: anywhere.
  std::span<char> read_into() { return reader_.read_into(); }

  // After kMessage. take_message() moves it out: once, and before the next call of next().
  bool is_text() const { return reader_.is_text(); }
  Message take_message() { return reader_.take_message(); }

  // After kPing and kPong, until the next call of next().
  std::string_view payload() const { return reader_.control_payload(); }

  // Appends what the last event obliges us to send: the pong after kPing, Close after kClose
  // (unless we sent one) and after kError. Nothing otherwise, so it may be called after any event.
  // False if nothing was appended.
  bool append_reply(std::string& out);

  // ---- Out: each appends one whole frame; false, and nothing appended, if our Close was sent ----

  // `compress`: if negotiated, and the payload has at least options->compress_threshold bytes.
  bool append_message(std::string& out, bool text, std::string_view payload, bool compress = true);

  // A ping, and an unsolicited pong (section 5.5.3). False also for more than 125 bytes.
  bool append_ping(std::string& out, std::string_view payload = {});
  bool append_pong(std::string& out, std::string_view payload);

  // Starts the close handshake. False also if !is_valid_close(code, reason), or not open.
  bool append_close(std::string& out, std::uint16_t code = kCloseNormal,
                    std::string_view reason = {});

  // A message's frame header alone, for a caller that sends a large uncompressed payload from where
  // it is. Returns its size, 0 if nothing may be sent. The payload must follow.
  std::size_t message_header(char (&out)[kMaxServerHeader], bool text, std::uint64_t size) const;

  // Would append_message() compress a message of that size?
  bool would_compress(std::size_t size) const { return !close_sent() && compresses(size); }

  // The window that a message compressed elsewhere (PreparedMessage::compressed) must keep to; 0:
  // compression was not negotiated.
  int deflate_window_bits() const;

  // Fan-out: the bytes to send for that message, in the form this session may use; they stay valid
  // as long as `message`. Empty if nothing may be sent. They must be sent, in order with everything
  // else appended.
  std::string_view prepared_frame(PreparedMessage& message, bool compress = true);

  // ---- State ----

  State state() const;
  bool is_open() const { return state() == State::kOpen; }
  bool close_sent() const { return sent_close_code_ != 0; }
  bool close_received() const { return close_received_; }
  // Close went both ways.
  bool was_clean() const { return close_received_ && close_sent(); }

  // What the peer's Close said. 1005: it was empty; 1006: none came.
  std::uint16_t close_code() const { return close_code_; }
  std::string_view close_reason() const;
  // What our own Close said. 1005: it was empty; 0: none was sent.
  std::uint16_t sent_close_code() const { return sent_close_code_; }

  // After kError: why. close_code_of() and fault_text() say the rest.
  Fault fault() const { return reader_.fault(); }

  // Bytes of an unfinished message held at the moment, for the caller's accounting.
  std::size_t buffered() const { return reader_.buffered(); }

 private:
  bool compresses(std::size_t size) const;
  bool append_compressed(std::string& out, Opcode opcode, std::string_view payload);
  void append_close_frame(std::string& out, std::uint16_t code, std::string_view reason);

  MessageReader reader_;
  std::unique_ptr<Deflater> deflater_;  // with context takeover only
  std::uint16_t close_code_ = kCloseAbnormal;
  std::uint16_t sent_close_code_ = 0;
  Event reply_to_ = Event::kNeedMore;  // what append_reply() has to answer
  bool deflater_stale_ = false;        // the peer's window holds bytes our compressor has not seen
  bool close_received_ = false;
};

}  // namespace httpuv::websocket
