#include "websocket/message_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/spare_strings.h"
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

// Assigning an empty string would keep the memory.
void free_memory(std::string& text) {
  std::string().swap(text);
}

}  // namespace

MessageReader::MessageReader(const SessionOptions* options, const DeflateParams& deflate,
                             DeflatePool* pool)
    : options_(options), pool_(pool), deflate_(deflate) {}

Event MessageReader::next(std::string_view& input) {
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
        fault = take_plain(masked);
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

std::string MessageReader::take_message() {
  message_ready_ = false;
  return std::exchange(message_, std::string());
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

// Grows as std::string would, by doubling at most, but no further than the frame reaches: a message
// that came in two or three reads is not copied again, and never is there room for more than twice
// what came.
void MessageReader::make_room(std::size_t arriving) {
  const std::size_t have = message_.size() + arriving;
  if (have <= message_.capacity()) return;
  if (message_.empty() && base::SpareStrings::serves(frame_.length) &&
      base::SpareStrings::serves(have)) {
    message_ = base::spare_strings().take();
    return;
  }
  const std::size_t ahead = std::min<std::uint64_t>(remaining_, have);
  message_.reserve(have + ahead);
}

Fault MessageReader::take_plain(std::string_view masked) {
  make_room(masked.size());
  while (!masked.empty()) {
    const std::string_view piece = masked.substr(0, kPiece);
    masked.remove_prefix(piece.size());
    const std::size_t at = message_.size();
    message_.append(piece);
    frame_.mask.apply(message_.data() + at, piece.size());
    if (text_ && !utf8_.feed({message_.data() + at, piece.size()})) return Fault::kBadUtf8;
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
    const auto status = inflater_->inflate(input, pool_->block(), DeflatePool::kBlock, produced);
    const Fault fault = append_inflated(pool_->block(), produced);
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

Fault MessageReader::append_inflated(const char* data, std::size_t size) {
  // First what still fits, so that the fault does not depend on how the output was cut.
  inflated_ += size;
  const std::uint64_t room = options_->max_message_bytes - message_.size();
  const std::string_view fits(data, std::min<std::uint64_t>(size, room));
  if (text_ && !utf8_.feed(fits)) return Fault::kBadUtf8;
  if (size > room) return Fault::kMessageTooBig;
  message_.append(fits);
  return Fault::kNone;
}

Fault MessageReader::finish_inflating() {
  // Some peers send an empty message as no bytes at all instead of one empty block (RFC 7692
  // section 7.2.3.6).
  if (compressed_ == 0) return Fault::kNone;
  for (;;) {
    std::size_t produced = 0;
    const auto status = inflater_->finish(pool_->block(), DeflatePool::kBlock, produced);
    const Fault fault = append_inflated(pool_->block(), produced);
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
