// Reads HTTP/1.1 requests from a stream of bytes, one after another: heads and trailers through
// llhttp in its strict mode, and the rules of RFC 9112 that llhttp leaves to its user.
//
// Sans-I/O, no thread affinity, owned by the connection. Holds no heap memory between messages. A
// request that it cannot accept makes it fail permanently; error_status() is the status to answer
// before the connection is closed. The result does not depend on how the stream is cut into pieces,
// except for the pieces of a body.
// More than 25 members and methods, because a request may stop after any byte: each state has a
// method that goes on from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "http/message/refusal.h"
#include "http/message/request.h"
#include "http/parse/chunk_reader.h"
#include "http/parse/limits.h"

namespace httpuv::http {

class HeadMemo;

enum class ParseEvent : std::uint8_t {
  kNeedMore,  // everything was consumed
  kHead,      // take_head() has a request; kBody (if any) and kEnd follow
  kBody,      // body() has the next bytes of it
  kEnd,       // the request is complete
  kError,     // error_status() and error_reason() say why
};

class RequestParser {
 public:
  // `limits` and `memo` outlive the parser. Parsers with one memo have the same limits.
  explicit RequestParser(const RequestLimits* limits, HeadMemo* memo = nullptr);

  // Consumes from the front of `input` up to the next event. The caller calls it again with the
  // rest until it returns kNeedMore or kError. A caller that stops after kEnd keeps the rest, and
  // so delays pipelined requests.
  //
  // After the kEnd of a request with head.upgrade, or of a CONNECT, the rest is in the new protocol
  // if the server switches to it; calling next() goes on with HTTP instead (RFC 9110 section 7.8).
  // After the kEnd of a request that was not head.keep_alive everything is consumed and dropped
  // (RFC 9112 section 9.6).
  ParseEvent next(std::string_view& input);

  // While idle(): gives a cleared head back, so that the next one uses its memory.
  void lend(RequestHead& spare) { head_.take(spare); }

  // Moves the head out; once, after kHead.
  RequestHead take_head();
  // The same, into a head that was used and is cleared here.
  void take_head(RequestHead& into);

  // After kBody: a part of the input just given, without chunk framing. Never empty.
  [[nodiscard]] std::string_view body() const { return body_; }

  // After kError: 400, 413, 414, 417, 431, 501 or 505.
  [[nodiscard]] int error_status() const;
  [[nodiscard]] std::string_view error_reason() const;  // for the log

  // Before kHead: the first line of the incomplete head, as far as it could be parsed, at most 1
  // KiB.
  [[nodiscard]] std::string_view read_line() const;

  // No byte of the next request has arrived; empty lines before it do not count.
  [[nodiscard]] bool idle() const { return state_ <= State::kIdleAfterCr; }
  // A part of a head has arrived.
  [[nodiscard]] bool in_head() const { return state_ == State::kMethod || state_ == State::kHead; }
  // The kept bytes of an incomplete head or trailer section.
  [[nodiscard]] std::size_t held() const {
    return head_.bytes.size() + head_.fields.size() * sizeof(HeaderField);
  }
  // Between kHead and kEnd.
  [[nodiscard]] bool in_body() const {
    return state_ >= State::kLengthBody && state_ <= State::kTrailers;
  }

  // Reports the end of the stream: kNeedMore if it may end here, kError in the middle of a request.
  ParseEvent finish();

 private:
  friend struct LlhttpCallbacks;

  enum class State : std::uint8_t {
    kIdle,
    kIdleAfterCr,  // in an empty line before a request
    kMethod,       // in a method that llhttp does not know
    kHead,
    kLengthBody,  // length_left_ bytes of it are to come
    kChunks,
    kTrailers,
    kDone,  // after a request that was the last one
    kFailed,
  };

  bool skip_empty_lines(std::string_view& input);
  void start_llhttp(std::string_view already_read);
  ParseEvent read_fields(std::string_view& input);
  ParseEvent resolve_error(int code, std::string_view& input);
  ParseEvent read_method(std::string_view& input);
  bool recall(std::string_view& input);
  ParseEvent complete_head();
  ParseEvent begin_body();
  ParseEvent complete_trailers();
  ParseEvent read_length_body(std::string_view& input);
  ParseEvent read_chunks(std::string_view& input);
  ParseEvent end_message();
  ParseEvent fail(Refusal refusal);

  // An llhttp_t, of a size that keeps llhttp.h out of here. Started anew for each section it reads.
  static constexpr std::size_t kLlhttpSize = 96;
  alignas(8) std::byte llhttp_[kLlhttpSize];

  const RequestLimits* limits_;
  HeadMemo* memo_;
  RequestHead head_;  // from the first byte of a message to take_head(); later the trailers
  ChunkReader chunks_;
  std::string_view body_;
  std::uint64_t budget_ = 0;  // bytes that the head or the trailers may still take
  std::uint64_t length_left_ = 0;
  State state_ = State::kIdle;
  Refusal refusal_ = Refusal::kNone;
  bool in_name_ = false;     // the last of head_.fields has not got its whole name
  bool keep_alive_ = false;  // of the message under way
};

}  // namespace httpuv::http
