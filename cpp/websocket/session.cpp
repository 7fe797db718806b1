#include "websocket/session.h"

#include <utility>

namespace httpuv::websocket {
namespace {

Opcode opcode_of(bool text) {
  return text ? Opcode::kText : Opcode::kBinary;
}

}  // namespace

Session::Session(const SessionOptions* options) : reader_(options, {}, nullptr) {}

Session::Session(const SessionOptions* options, const DeflateParams& deflate, DeflatePool* pool)
    : reader_(options, deflate, pool) {}

Event Session::next(std::string_view& input, std::string* block) {
  const Event event = reader_.next(input, block);
  reply_to_ = event;
  if (event == Event::kClose) {
    close_received_ = true;
    std::string_view reason;
    parse_close(reader_.control_payload(), close_code_, reason);
  }
  return event;
}

bool Session::append_reply(std::string& out) {
  const Event event = std::exchange(reply_to_, Event::kNeedMore);
  if (sent_close_code_ != 0) return false;
  switch (event) {
    case Event::kPing:
      append_frame(out, Opcode::kPong, false, reader_.control_payload());
      return true;
    case Event::kClose:
      append_close_frame(out, close_code_, {});
      return true;
    case Event::kError:
      append_close_frame(out, close_code_of(fault()), fault_text(fault()));
      return true;
    case Event::kNeedMore:
    case Event::kPause:
    case Event::kMessage:
    case Event::kPong:
      return false;
  }
  return false;
}

bool Session::append_message(std::string& out, bool text, std::string_view payload, bool compress) {
  if (close_sent()) return false;
  const Opcode opcode = opcode_of(text);
  if (compress && compresses(payload.size()) && append_compressed(out, opcode, payload))
    return true;
  append_frame(out, opcode, false, payload);
  return true;
}

bool Session::append_ping(std::string& out, std::string_view payload) {
  if (close_sent() || payload.size() > kMaxControlPayload) return false;
  append_frame(out, Opcode::kPing, false, payload);
  return true;
}

bool Session::append_pong(std::string& out, std::string_view payload) {
  if (close_sent() || payload.size() > kMaxControlPayload) return false;
  append_frame(out, Opcode::kPong, false, payload);
  return true;
}

bool Session::append_close(std::string& out, std::uint16_t code, std::string_view reason) {
  if (!is_open() || !is_valid_close(code, reason)) return false;
  append_close_frame(out, code, reason);
  reader_.start_discarding();
  return true;
}

std::size_t Session::message_header(char (&out)[kMaxServerHeader], bool text,
                                    std::uint64_t size) const {
  return close_sent() ? 0 : write_frame_header(out, opcode_of(text), true, false, size);
}

bool Session::compresses(std::size_t size) const {
  return reader_.pool() != nullptr && size >= reader_.options().compress_threshold;
}

int Session::deflate_window_bits() const {
  return reader_.pool() != nullptr ? reader_.deflate_params().server_window_bits : 0;
}

// False, and nothing appended, if the message had better go out as it is.
bool Session::append_compressed(std::string& out, Opcode opcode, std::string_view payload) {
  DeflatePool& pool = *reader_.pool();
  const DeflateParams& params = reader_.deflate_params();
  std::string& body = pool.scratch();
  if (params.server_no_context_takeover) {
    Deflater& deflater = pool.stateless_deflater(params.server_window_bits);
    if (!deflater.compress(payload, body) || body.size() >= payload.size()) return false;
  } else {
    if (!deflater_) {
      deflater_ = std::make_unique<Deflater>(params.server_window_bits, pool.tuning());
    } else if (deflater_stale_) {
      deflater_->reset();
    }
    deflater_stale_ = false;
    // Sent even if it did not get smaller: the compressor's window has the payload now, so the
    // peer's must get it.
    if (!deflater_->compress(payload, body)) return false;
  }
  append_frame(out, opcode, true, body);
  return true;
}

std::string_view Session::prepared_frame(PreparedMessage& message, bool compress) {
  if (close_sent()) return {};
  if (!compress || !compresses(message.payload_size())) return message.plain();
  const std::string_view frame = message.compressed(deflate_window_bits(), *reader_.pool());
  // With context takeover the peer's window will hold this message, and our compressor knows
  // nothing of it: its distances would be short by so much. From a reset on it only refers to what
  // it wrote itself since, and of that the peer has every byte in one piece. (Whether to refer back
  // at all is the sender's choice, RFC 7692 section 7.2.1.)
  if (frame.data() != message.plain().data()) deflater_stale_ = true;
  return frame;
}

Session::State Session::state() const {
  if (close_received_ || fault() != Fault::kNone) return State::kClosed;
  return sent_close_code_ != 0 ? State::kClosing : State::kOpen;
}

std::string_view Session::close_reason() const {
  const std::string_view payload = close_received_ ? reader_.control_payload() : std::string_view();
  return payload.size() > 2 ? payload.substr(2) : std::string_view();
}

void Session::append_close_frame(std::string& out, std::uint16_t code, std::string_view reason) {
  sent_close_code_ = code;
  char header[kMaxServerHeader];
  const bool empty = code == kCloseNoStatus;
  out.append(header, write_frame_header(header, Opcode::kClose, true, false,
                                        empty ? 0 : 2 + reason.size()));
  if (empty) return;
  out.push_back(static_cast<char>(code >> 8));
  out.push_back(static_cast<char>(code & 0xFF));
  out.append(reason);
}

}  // namespace httpuv::websocket
