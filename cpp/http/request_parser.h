// Reads HTTP/1.1 requests from a stream of bytes, one after another: llhttp in its strict mode, and
// the rules of RFC 9112 that llhttp leaves to its user.
//
// Sans-I/O, no thread affinity, owned by the connection. Holds no heap memory between messages. A
// request it cannot accept makes it fail, for good: error_status() is what to answer before the
// connection is closed. Where a stream is cut into pieces makes no difference to what is found in
// it, but for how a body is cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/limits.h"
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

  // Moves the head out; once, after kHead.
  RequestHead take_head();

  // After kBody: a part of the input just given, without chunk framing. Never empty.
  [[nodiscard]] std::string_view body() const { return body_; }

  // After kError: 400, 413, 414, 417, 431, 501 or 505.
  [[nodiscard]] int error_status() const;
  [[nodiscard]] std::string_view error_reason() const;  // for the log

  // No byte of a next request has come; empty lines before one do not count.
  [[nodiscard]] bool idle() const { return state_ == State::kIdle || state_ == State::kIdleAfterCr; }
  // Between kHead and kEnd.
  [[nodiscard]] bool in_body() const { return state_ == State::kBody || state_ == State::kChunkData; }

  // The stream has ended. kNeedMore where it may end, kError in the middle of a request.
  ParseEvent finish();

 private:
  friend struct ParserCallbacks;

  enum class State : std::uint8_t {
    kIdle,
    kIdleAfterCr,  // in an empty line before a request
    kHead,
    kBody,       // after the head: framing, or a body with a Content-Length
    kChunkData,  // in the data of a chunk
    kLast,       // after a request that ends the connection
    kFailed,
  };
  enum class Failure : std::uint8_t;

  struct Feed;

  bool skip_empty_lines(std::string_view& input);
  void start_message();
  ParseEvent parse_head(std::string_view& input);
  ParseEvent parse_body(std::string_view& input);
  ParseEvent complete_head();
  ParseEvent fail(Failure failure);
  ParseEvent fail_as_llhttp_did(int code);

  // An llhttp_t: llhttp.h stays out of here.
  static constexpr std::size_t kLlhttpSize = 96;
  alignas(8) std::byte llhttp_[kLlhttpSize];

  const RequestLimits* limits_;
  std::string bytes_;                 // the head so far
  std::vector<HeaderField> fields_;   // the last one may still grow
  std::string_view body_;
  std::uint64_t budget_ = 0;          // bytes that head or chunk framing may still take
  std::uint64_t body_left_ = 0;       // bytes that the body may still bring
  State state_ = State::kIdle;
  Failure failure_{};
  bool keep_alive_ = true;            // of the message under way
};

}  // namespace httpuv::http
