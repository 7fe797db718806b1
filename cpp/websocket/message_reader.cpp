#include "websocket/message_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "websocket/frame/close_frame.h"

namespace httpuv::websocket {
namespace {

// Payload is copied, unmasked and checked in pieces that stay in the first-level cache in between.
constexpr std::size_t kPiece = std::size_t{8} * 1024;

// How many bytes a compressed message of at most `limit` bytes may take on the wire. Data that does
// not compress grows by an eighth at most, and there may be empty blocks.
std::uint64_t wire_limit(std::uint64_t limit) {
  const std::uint64_t extra = limit / 4 + 1024;
  return limit + std::min(extra, std::numeric_limits<std::uint64_t>::max() - limit);
}

// Assigning an empty one would keep the memory.
template <class T>
void free_memory(T& held) {
  [[maybe_unused]] const T freed = std::move(held);
}

// Of a frame that is under way, from which on its payload is read right into the message. What is
// shorter comes with the beginning of the next frame by one read.
constexpr std::size_t kReadInto = 1024;

}  // namespace

MessageReader::MessageReader(const SessionOptions* options, const DeflateParams& deflate,
                             DeflatePool* pool)
    : options_(options), pool_(pool), deflate_(deflate) {}

Event MessageReader::next(std::string_view& input, std::string* block) {
  if (std::exchange(message_ready_, false)) free_memory(message_);
  if (std::exchange(paused_, false)) {
    inflated_ = 0;
  } else if (input.empty()) {
    return Event::kNeedMore;
  }
  while (!finished_) {
    if (!in_frame_) {
      const auto result = header_reader_.next(input, frame_);
      if (result == FrameHeaderReader::Result::kNeedMore) return Event::kNeedMore;
      if (result == FrameHeaderReader::Result::kError) return fail(header_reader_.fault());
      if (const Fault fault = begin_frame(); fault != Fault::kNone) return fail(fault);
    }
    const std::size_t size = std::min<std::uint64_t>(remaining_, input.size());
    std::string_view masked = input.substr(0, size);
    remaining_ -= size;

    const bool control = is_control(frame_.opcode);
    Fault fault = Fault::kNone;
    if (control) {
      const std::size_t at = control_.size();
      control_.append(masked);
      frame_.mask.apply(control_.data() + at, size);
    } else if (!discarding_) {
      if (inflating_) {
        fault = take_compressed(masked);
      } else {
        fault = take_plain(masked, block);
      }
    }
    const std::size_t left = paused_ ? masked.size() : 0;
    input.remove_prefix(size - left);
    remaining_ += left;
    if (fault != Fault::kNone) return fail(fault);
    if (paused_) return Event::kPause;
    if (remaining_ != 0) return Event::kNeedMore;

    if (!control && frame_.fin && !discarding_) {
      fault = end_message();
      if (fault != Fault::kNone) return fail(fault);
      if (paused_) return Event::kPause;  // the frame is not over yet
    }
    in_frame_ = false;
    if (control) {
      const Event event = end_control();
      if (event != Event::kNeedMore) return event;
    } else if (frame_.fin) {
      in_message_ = false;
      if (discarding_) continue;
      message_ready_ = true;
      return Event::kMessage;
    }
  }
  input = {};
  return Event::kNeedMore;
}

Message MessageReader::take_message() {
  message_ready_ = false;
  return std::exchange(message_, {});
}

std::span<char> MessageReader::read_into() {
  if (!in_frame_ || is_control(frame_.opcode) || inflating_ || discarding_ || finished_) return {};
  if (remaining_ < kReadInto || message_.size() < Message::kShort) return {};
  const std::span<char> room = message_.room(kReadInto);
  return room.first(std::min<std::uint64_t>(room.size(), remaining_));
}

void MessageReader::start_discarding() {
  discarding_ = true;
  paused_ = false;
  clear_.reset();
  if (!message_ready_) free_memory(message_);
  release_inflater();
}

// The header is whole: everything that can be said about the frame before its payload.
Fault MessageReader::begin_frame() {
  in_frame_ = true;
  remaining_ = frame_.length;
  if (is_control(frame_.opcode)) {
    control_.clear();
    if (frame_.rsv1) return Fault::kReservedBits;
    if (!frame_.fin) return Fault::kControlFragmented;
    if (frame_.length > kMaxControlPayload) return Fault::kControlTooLong;
    return Fault::kNone;
  }
  const bool continues = frame_.opcode == Opcode::kContinuation;
  if (continues && !in_message_) return Fault::kUnexpectedContinuation;
  if (!continues && in_message_) return Fault::kExpectedContinuation;
  // RSV1 belongs to the first frame of a compressed message (RFC 7692 section 6).
  if (frame_.rsv1 && (continues || pool_ == nullptr)) return Fault::kReservedBits;
  if (!continues) {
    in_message_ = true;
    text_ = frame_.opcode == Opcode::kText;
    inflating_ = frame_.rsv1;
    compressed_ = 0;
    utf8_.reset();
  }
  if (discarding_) return Fault::kNone;
  const std::uint64_t limit = options_->max_message_bytes;
  if (!inflating_) {
    return frame_.length > limit - message_.size() ? Fault::kMessageTooBig : Fault::kNone;
  }
  // What is inflated is bounded as it comes out; this bounds what may go in.
  if (frame_.length > wire_limit(limit) - compressed_) return Fault::kMessageTooBig;
  compressed_ += frame_.length;
  return Fault::kNone;
}

// Payload that stands where it may stay is unmasked there; other payload is copied.
Fault MessageReader::take_plain(std::string_view masked, std::string* block) {
  if (masked.data() == message_.tail().data()) {
    char* const bytes = message_.tail().data();
    message_.grow(masked.size());
    return unmask(bytes, masked.size());
  }
  if (masked.size() >= Message::kShort && block != nullptr && !block->empty()) {
    const auto begin = static_cast<std::size_t>(masked.data() - block->data());
    char* const bytes = block->data() + begin;
    message_.take(std::exchange(*block, {}), begin, masked.size());
    return unmask(bytes, masked.size());
  }
  // By doubling at most, but no further than the frame reaches: what came in two or three reads is
  // not copied again, and never is there room for more than twice what came.
  const std::size_t have = message_.size() + masked.size();
  message_.reserve(have, have + std::min<std::uint64_t>(remaining_, have));
  while (!masked.empty()) {
    const std::string_view piece = masked.substr(0, kPiece);
    masked.remove_prefix(piece.size());
    const Fault fault = unmask(message_.append(piece), piece.size());
    if (fault != Fault::kNone) return fault;
  }
  return Fault::kNone;
}

Fault MessageReader::unmask(char* bytes, std::size_t size) {
  while (size > 0) {
    const std::size_t piece = std::min(size, kPiece);
    frame_.mask.apply(bytes, piece);
    if (text_ && !utf8_.feed({bytes, piece})) return Fault::kBadUtf8;
    bytes += piece;
    size -= piece;
  }
  return Fault::kNone;
}

// After a pause `masked` still has what was not taken.
Fault MessageReader::take_compressed(std::string_view& masked) {
  if (!inflater_) inflater_ = pool_->borrow_inflater();
  if (const auto before = std::move(clear_)) {
    if (const Fault fault = inflate(*before); fault != Fault::kNone) return fault;
  }
  char clear[kPiece];
  while (!paused_ && !masked.empty() && !pause_due()) {
    const std::string_view piece = masked.substr(0, kPiece);
    masked.remove_prefix(piece.size());
    frame_.mask.apply(clear, piece.data(), piece.size());
    if (const Fault fault = inflate({clear, piece.size()}); fault != Fault::kNone) return fault;
  }
  return Fault::kNone;
}

// What a pause leaves of the input is kept.
Fault MessageReader::inflate(std::string_view input) {
  for (;;) {
    std::size_t produced = 0;
    const std::span<char> to = inflate_into();
    const auto status = inflater_->inflate(input, to.data(), to.size(), produced);
    const Fault fault = append_inflated(to.data(), produced);
    if (fault != Fault::kNone) return fault;
    if (status == Inflater::Status::kError) return inflater_->fault();
    if (status == Inflater::Status::kDone) return Fault::kNone;
    if (pause_due()) {
      clear_ = std::make_unique<std::string>(input);
      return Fault::kNone;
    }
  }
}

bool MessageReader::pause_due() {
  paused_ = options_->inflate_step != 0 && inflated_ >= options_->inflate_step;
  return paused_;
}

// The blocks of a long message; a short one is moved to memory of its size.
std::span<char> MessageReader::inflate_into() {
  if (message_.size() < Message::kShort) return {pool_->block(), DeflatePool::kBlock};
  return message_.room(kReadInto);
}

Fault MessageReader::append_inflated(const char* data, std::size_t size) {
  // First what still fits, so that the fault does not depend on how the output was cut.
  inflated_ += size;
  const std::uint64_t room = options_->max_message_bytes - message_.size();
  const std::string_view fits(data, std::min<std::uint64_t>(size, room));
  if (text_ && !utf8_.feed(fits)) return Fault::kBadUtf8;
  if (size > room) return Fault::kMessageTooBig;
  if (data == message_.tail().data()) {
    message_.grow(fits.size());
  } else {
    message_.append(fits);
  }
  return Fault::kNone;
}

Fault MessageReader::finish_inflating() {
  // Some peers send an empty message as no bytes at all instead of one empty block (RFC 7692
  // section 7.2.3.6).
  if (compressed_ == 0) return Fault::kNone;
  for (;;) {
    std::size_t produced = 0;
    const std::span<char> to = inflate_into();
    const auto status = inflater_->finish(to.data(), to.size(), produced);
    const Fault fault = append_inflated(to.data(), produced);
    if (fault != Fault::kNone) return fault;
    if (status == Inflater::Status::kError) return inflater_->fault();
    if (status == Inflater::Status::kDone) break;
    if (pause_due()) return Fault::kNone;
  }
  if (deflate_.client_no_context_takeover) release_inflater();
  return Fault::kNone;
}

Fault MessageReader::end_message() {
  if (inflating_) {
    const Fault fault = finish_inflating();
    if (fault != Fault::kNone || paused_) return fault;
  }
  return text_ && !utf8_.complete() ? Fault::kBadUtf8 : Fault::kNone;
}

Event MessageReader::end_control() {
  if (frame_.opcode == Opcode::kClose) {
    std::uint16_t code = 0;
    std::string_view reason;
    if (const Fault fault = parse_close(control_, code, reason); fault != Fault::kNone)
      return fail(fault);
    finished_ = true;
    release();
    return Event::kClose;
  }
  if (discarding_) return Event::kNeedMore;
  return frame_.opcode == Opcode::kPing ? Event::kPing : Event::kPong;
}

Event MessageReader::fail(Fault fault) {
  fault_ = fault;
  finished_ = true;
  free_memory(control_);
  release();
  return Event::kError;
}

// An unfinished message, and what inflates it.
void MessageReader::release() {
  free_memory(message_);
  clear_.reset();
  paused_ = false;
  release_inflater();
}

void MessageReader::release_inflater() {
  if (inflater_) pool_->give_back(std::move(inflater_));
}

}  // namespace httpuv::websocket
