// Reads HTTP/1.1 requests from a stream of bytes, one after another: heads and trailers through
// llhttp in its strict mode, and the rules of RFC 9112 that llhttp leaves to its user.
//
// Sans-I/O, no thread affinity, owned by the connection. Holds no heap memory between messages. A
// request it cannot accept makes it fail, for good: error_status() is what to answer before the
// connection is closed. Where a stream is cut into pieces makes no difference to what is found in
// it, but for how a body is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "http/chunk_reader.h"
#include "http/limits.h"
#include "http/refusal.h"
#include "http/request.h"

namespace httpuv::http {

enum class ParseEvent : std::uint8_t {
  kNeedMore,  // everything was consumed
  kHead,      // take_head() has a request; kBody (if any) and kEnd follow
  kBody,      // body() has the next bytes of it
  kEnd,       // the request is complete
  kError,     // error_status() and error_reason() say why
};

class RequestParser {
 public:
  // `limits` outlive the parser.
  explicit RequestParser(const RequestLimits* limits);

  // Consumes from the front of `input` up to the next event. To be called again with the rest until
  // it says kNeedMore or kError; a caller that stops after kEnd keeps the rest itself, and so holds
  // back requests that were pipelined.
  //
  // After the kEnd of a request with head.upgrade, or of a CONNECT, the rest is in the new protocol
  // if the server switches to it; calling next() goes on with HTTP instead (RFC 9110 section 7.8).
  // After the kEnd of a request that was not head.keep_alive everything is consumed and dropped
  // (RFC 9112 section 9.6).
  ParseEvent next(std::string_view& input);

  // While idle(): a cleared head whose memory the next one is to use.
  void lend(RequestHead&& spare) { head_ = std::move(spare); }

  // Moves the head out; once, after kHead.
  RequestHead take_head();

  // After kBody: a part of the input just given, without chunk framing. Never empty.
  [[nodiscard]] std::string_view body() const { return body_; }

  // After kError: 400, 413, 414, 417, 431, 501 or 505.
  [[nodiscard]] int error_status() const;
  [[nodiscard]] std::string_view error_reason() const;  // for the log

  // While no head was made of it: the first line of the head that has come, as far as it made
  // sense, at most 1 KiB of it.
  [[nodiscard]] std::string_view read_line() const;

  // No byte of a next request has come; empty lines before one do not count.
  [[nodiscard]] bool idle() const { return state_ <= State::kIdleAfterCr; }
  // Bytes that are kept of a head, or of trailers, that are not complete.
  [[nodiscard]] std::size_t held() const {
    return head_.bytes.size() + head_.fields.size() * sizeof(HeaderField);
  }
  // Between kHead and kEnd.
  [[nodiscard]] bool in_body() const {
    return state_ >= State::kLengthBody && state_ <= State::kTrailers;
  }

  // The stream has ended. kNeedMore where it may end, kError in the middle of a request.
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
  ParseEvent complete_head();
  ParseEvent complete_trailers();
  ParseEvent read_length_body(std::string_view& input);
  ParseEvent read_chunks(std::string_view& input);
  ParseEvent end_message();
  ParseEvent fail(Refusal refusal);

  // An llhttp_t, of a size that keeps llhttp.h out of here. Started anew for each section it reads.
  static constexpr std::size_t kLlhttpSize = 96;
  alignas(8) std::byte llhttp_[kLlhttpSize];

  const RequestLimits* limits_;
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
