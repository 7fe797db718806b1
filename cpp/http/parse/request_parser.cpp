#include "http/parse/request_parser.h"

#include <llhttp.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "base/text/ascii.h"
#include "http/parse/head_check.h"
#include "http/parse/head_memo.h"

namespace httpuv::http {
namespace {

// Of a request that cannot be read, for the log.
constexpr std::size_t kKeptLine = 1024;

// Room for what most browsers send, in one allocation.
constexpr std::size_t kUsualFieldCount = 24;

// A Slice counts to 2^32.
std::uint64_t max_head_bytes(const RequestLimits& limits) {
  return std::min<std::uint64_t>(limits.max_head_bytes, std::numeric_limits<std::uint32_t>::max());
}

// The state that llhttp's callbacks share with the call of llhttp.
struct Call {
  RequestParser* parser;
  const char* input;
};

llhttp_t* as_llhttp(std::byte* storage) {
  return std::launder(reinterpret_cast<llhttp_t*>(storage));
}

}  // namespace

// llhttp reports through these callbacks; a result other than 0 stops it there.
struct LlhttpCallbacks {
  static Call& call(llhttp_t* llhttp) { return *static_cast<Call*>(llhttp->data); }

  static Slice slice(const Call& call, const char* at, std::size_t size) {
    const std::size_t before = call.parser->head_.bytes.size();
    return {static_cast<std::uint32_t>(before + static_cast<std::size_t>(at - call.input)),
            static_cast<std::uint32_t>(size)};
  }

  static int on_url_complete(llhttp_t* llhttp) {
    Refusal& refusal = call(llhttp).parser->refusal_;
    if (llhttp->method == HTTP_PRI) refusal = Refusal::kVersion;  // HTTP/2 (RFC 9113 section 3.4)
    // llhttp takes "GET /" without a version for HTTP/0.9, and says so here.
    if (llhttp->http_minor == 9) refusal = Refusal::kRequestLine;
    return refusal == Refusal::kNone ? 0 : HPE_USER;
  }

  // At once: the rest of such a head, which another protocol would send, may never come.
  static int on_version_complete(llhttp_t* llhttp) {
    if (llhttp->http_major == 1) return 0;
    call(llhttp).parser->refusal_ = Refusal::kVersion;
    return HPE_USER;
  }

  static int on_header_field(llhttp_t* llhttp, const char* at, std::size_t size) {
    const Call& call = LlhttpCallbacks::call(llhttp);
    RequestParser& parser = *call.parser;
    auto& fields = parser.head_.fields;
    if (parser.in_name_) {
      fields.back().name.size += static_cast<std::uint32_t>(size);
      return 0;
    }
    if (fields.capacity() == 0) fields.reserve(kUsualFieldCount);
    fields.push_back({slice(call, at, size), {}, Field::kOther});
    parser.in_name_ = true;
    return 0;
  }

  static int on_header_field_complete(llhttp_t* llhttp) {
    RequestParser& parser = *call(llhttp).parser;
    parser.in_name_ = false;
    if (parser.head_.fields.size() <= parser.limits_->max_header_count) return 0;
    parser.refusal_ = Refusal::kTooManyFields;
    return HPE_USER;
  }

  static int on_header_value(llhttp_t* llhttp, const char* at, std::size_t size) {
    const Call& call = LlhttpCallbacks::call(llhttp);
    Slice& value = call.parser->head_.fields.back().value;
    if (value.size == 0) {
      value = slice(call, at, size);
    } else {
      value.size += static_cast<std::uint32_t>(size);
    }
    return 0;
  }

  static int on_headers_complete(llhttp_t*) { return HPE_PAUSED; }
};

namespace {

constexpr llhttp_settings_t kSettings = [] {
  llhttp_settings_t settings{};
  settings.on_url_complete = LlhttpCallbacks::on_url_complete;
  settings.on_version_complete = LlhttpCallbacks::on_version_complete;
  settings.on_header_field = LlhttpCallbacks::on_header_field;
  settings.on_header_field_complete = LlhttpCallbacks::on_header_field_complete;
  settings.on_header_value = LlhttpCallbacks::on_header_value;
  settings.on_headers_complete = LlhttpCallbacks::on_headers_complete;
  return settings;
}();

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

// llhttp knows them, but not for HTTP.
bool is_rtsp_method(int method) {
  return method >= HTTP_DESCRIBE && method <= HTTP_FLUSH;
}

}  // namespace

RequestParser::RequestParser(const RequestLimits* limits, HeadMemo* memo)
    : limits_(limits), memo_(memo), budget_(max_head_bytes(*limits)) {
  static_assert(sizeof(llhttp_t) <= kLlhttpSize, "an llhttp_t does not fit: see kLlhttpSize");
  static_assert(alignof(llhttp_t) <= 8);
  new (llhttp_) llhttp_t;
}

ParseEvent RequestParser::next(std::string_view& input) {
  switch (state_) {
    case State::kIdle:
    case State::kIdleAfterCr:
      if (!skip_empty_lines(input)) return fail(Refusal::kLineEnd);
      if (budget_ == 0) return fail(Refusal::kHeadTooLarge);
      if (input.empty()) return ParseEvent::kNeedMore;
      if (recall(input)) return begin_body();
      start_llhttp({});
      state_ = State::kHead;
      return read_fields(input);
    case State::kMethod:
      return read_method(input);
    case State::kHead:
    case State::kTrailers:
      return read_fields(input);
    case State::kLengthBody:
      return read_length_body(input);
    case State::kChunks:
      return read_chunks(input);
    case State::kDone:
      input.remove_prefix(input.size());
      return ParseEvent::kNeedMore;
    case State::kFailed:
      break;
  }
  return ParseEvent::kError;
}

// RFC 9112 section 2.2: empty lines before a request line are ignored. They count as a part of the
// head, so that their number is bounded. False if one does not end in CRLF.
bool RequestParser::skip_empty_lines(std::string_view& input) {
  while (!input.empty() && budget_ > 0) {
    const char c = input.front();
    if (state_ == State::kIdle) {
      if (c == '\n') return false;
      if (c != '\r') return true;
      state_ = State::kIdleAfterCr;
    } else {
      if (c != '\n') return false;
      state_ = State::kIdle;
    }
    input.remove_prefix(1);
    --budget_;
  }
  return true;
}

// Whether a head that was parsed before comes again; takes it.
bool RequestParser::recall(std::string_view& input) {
  const HeadMemo::Entry* const known = memo_ == nullptr ? nullptr : memo_->find(input);
  if (known == nullptr || known->bytes.size() > budget_) return false;
  head_ = known->head;  // into the memory that it has
  budget_ -= known->bytes.size();
  input.remove_prefix(known->bytes.size());
  return true;
}

// As if `already_read` had come.
void RequestParser::start_llhttp(std::string_view already_read) {
  llhttp_t* const llhttp = as_llhttp(llhttp_);
  llhttp_init(llhttp, HTTP_REQUEST, &kSettings);
  // Any DIGIT "." DIGIT: check_head() decides which versions are ours.
  llhttp_set_lenient_version(llhttp, 1);
  in_name_ = false;
  if (already_read.empty()) return;
  Call call{this, already_read.data()};
  llhttp->data = &call;
  llhttp_execute(llhttp, already_read.data(), already_read.size());
}

// A request head, or a trailer section.
ParseEvent RequestParser::read_fields(std::string_view& input) {
  const std::string_view whole_input = input;
  const std::string_view feed = input.substr(0, budget_);
  Call call{this, feed.data()};
  llhttp_t* const llhttp = as_llhttp(llhttp_);
  llhttp->data = &call;
  const int code = llhttp_execute(llhttp, feed.data(), feed.size());
  const std::size_t taken =
      code == HPE_OK ? feed.size()
                     : static_cast<std::size_t>(llhttp_get_error_pos(llhttp) - feed.data());
  head_.bytes.append(feed.data(), taken);
  input.remove_prefix(taken);
  budget_ -= taken;
  if (code == HPE_PAUSED) {
    if (state_ != State::kHead) return complete_trailers();
    const ParseEvent event = complete_head();
    const bool whole = taken == head_.bytes.size();  // it came in one piece
    if (memo_ != nullptr && whole && event == ParseEvent::kHead)
      memo_->keep(whole_input, taken, head_);
    return event;
  }
  if (code != HPE_OK) return resolve_error(code, input);
  if (budget_ > 0) return ParseEvent::kNeedMore;
  if (state_ == State::kTrailers) return fail(Refusal::kFramingTooLarge);
  // Two spaces are the ends of the method and of the target.
  switch (std::count(head_.bytes.begin(), head_.bytes.end(), ' ')) {
    case 0:
      return fail(Refusal::kMethod);
    case 1:
      return fail(Refusal::kTargetTooLong);
    default:
      return fail(Refusal::kHeadTooLarge);
  }
}

// The refusal for llhttp's error `code`; `input` begins with the byte at which it stopped.
ParseEvent RequestParser::resolve_error(int code, std::string_view& input) {
  if (refusal_ != Refusal::kNone) return fail(refusal_);
  if (code == HPE_INVALID_METHOD) {
    // None of those it knows, but any token is a method (RFC 9110 section 9.1).
    state_ = State::kMethod;
    return read_method(input);
  }
  if (code == HPE_INVALID_CONSTANT && is_rtsp_method(as_llhttp(llhttp_)->method)) {
    return fail(Refusal::kMethod);
  }
  return fail(Refusal::kMalformed);
}

// A method that llhttp does not know is replaced for llhttp. All registered methods are in
// capitals, so a lower-case method is a mistake: "get" is not GET (RFC 9110 section 9.1).
ParseEvent RequestParser::read_method(std::string_view& input) {
  std::size_t size = 0;
  const std::size_t most = std::min<std::uint64_t>(input.size(), budget_);
  while (size < most && base::is_token_char(input[size]) && !is_lower(input[size])) ++size;
  head_.bytes.append(input.substr(0, size));
  input.remove_prefix(size);
  budget_ -= size;
  if (budget_ == 0) return fail(Refusal::kMethod);  // longer than any (RFC 9112 section 3)
  if (input.empty()) return ParseEvent::kNeedMore;
  if (is_lower(input.front())) return fail(Refusal::kMethod);
  if (input.front() != ' ' || head_.bytes.empty()) return fail(Refusal::kRequestLine);
  start_llhttp("POST");
  state_ = State::kHead;
  return read_fields(input);
}

ParseEvent RequestParser::complete_head() {
  const llhttp_t* const llhttp = as_llhttp(llhttp_);
  const Refusal refusal = check_head(head_);
  if (refusal != Refusal::kNone) return fail(refusal);
  // If llhttp and this parser read the framing differently, other parsers may, too.
  if (((llhttp->flags & F_CHUNKED) != 0) != head_.chunked) return fail(Refusal::kTransferEncoding);
  const std::uint64_t length = head_.content_length.value_or(0);
  if (llhttp->content_length != length) return fail(Refusal::kContentLength);
  if (length > limits_->max_body_bytes) return fail(Refusal::kBodyTooLarge);
  return begin_body();
}

ParseEvent RequestParser::begin_body() {
  keep_alive_ = head_.keep_alive;
  if (head_.chunked) {
    chunks_.start(limits_->max_body_bytes, max_head_bytes(*limits_));
    state_ = State::kChunks;
  } else {
    length_left_ = head_.content_length.value_or(0);
    state_ = State::kLengthBody;
  }
  return ParseEvent::kHead;
}

ParseEvent RequestParser::complete_trailers() {
  const Refusal refusal = check_trailers(head_);
  return refusal == Refusal::kNone ? end_message() : fail(refusal);
}

RequestHead RequestParser::take_head() {
  return std::exchange(head_, RequestHead());
}

void RequestParser::take_head(RequestHead& into) {
  into.take(head_);
  head_.clear();
}

ParseEvent RequestParser::read_length_body(std::string_view& input) {
  if (length_left_ == 0) return end_message();
  if (input.empty()) return ParseEvent::kNeedMore;
  body_ = input.substr(0, length_left_);
  input.remove_prefix(body_.size());
  length_left_ -= body_.size();
  return ParseEvent::kBody;
}

ParseEvent RequestParser::read_chunks(std::string_view& input) {
  switch (chunks_.next(input, body_)) {
    case ChunkReader::Event::kNeedMore:
      return ParseEvent::kNeedMore;
    case ChunkReader::Event::kData:
      return ParseEvent::kBody;
    case ChunkReader::Event::kError:
      return fail(chunks_.refusal());
    case ChunkReader::Event::kLast:
      break;
  }
  // For llhttp the trailer section is the header section of one more request.
  head_ = RequestHead();
  budget_ = chunks_.framing_left();
  start_llhttp("GET / HTTP/1.1\r\n");
  state_ = State::kTrailers;
  if (budget_ == 0) return fail(Refusal::kFramingTooLarge);
  return read_fields(input);
}

ParseEvent RequestParser::end_message() {
  if (!head_.bytes.empty()) head_ = RequestHead();  // trailers, or a head that was not taken
  body_ = {};
  budget_ = max_head_bytes(*limits_);
  state_ = keep_alive_ ? State::kIdle : State::kDone;
  return ParseEvent::kEnd;
}

ParseEvent RequestParser::finish() {
  if (state_ == State::kFailed) return ParseEvent::kError;
  const bool may_end =
      idle() || state_ == State::kDone || (state_ == State::kLengthBody && length_left_ == 0);
  return may_end ? ParseEvent::kNeedMore : fail(Refusal::kIncomplete);
}

int RequestParser::error_status() const {
  return refusal_status(refusal_);
}

std::string_view RequestParser::error_reason() const {
  if (refusal_ != Refusal::kMalformed) return refusal_reason(refusal_);
  return reinterpret_cast<const llhttp_t*>(llhttp_)->reason;
}

std::string_view RequestParser::read_line() const {
  return first_line(head_.bytes).substr(0, kKeptLine);
}

ParseEvent RequestParser::fail(Refusal refusal) {
  std::string line(read_line());
  head_ = RequestHead();
  head_.bytes = std::move(line);
  body_ = {};
  refusal_ = refusal;
  state_ = State::kFailed;
  return ParseEvent::kError;
}

}  // namespace httpuv::http
