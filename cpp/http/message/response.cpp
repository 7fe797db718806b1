#include "http/message/response.h"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <utility>

#include "base/text/ascii.h"
#include "base/text/http_date.h"

namespace httpuv::http {
namespace {

struct StatusLine {
  int status;
  std::string_view line;
};

// The codes of the IANA registry, but for 306 and 418, which are not in use.
constexpr std::array kStatusLines = {
    StatusLine{100, "HTTP/1.1 100 Continue\r\n"},
    StatusLine{101, "HTTP/1.1 101 Switching Protocols\r\n"},
    StatusLine{102, "HTTP/1.1 102 Processing\r\n"},
    StatusLine{103, "HTTP/1.1 103 Early Hints\r\n"},
    StatusLine{200, "HTTP/1.1 200 OK\r\n"},
    StatusLine{201, "HTTP/1.1 201 Created\r\n"},
    StatusLine{202, "HTTP/1.1 202 Accepted\r\n"},
    StatusLine{203, "HTTP/1.1 203 Non-Authoritative Information\r\n"},
    StatusLine{204, "HTTP/1.1 204 No Content\r\n"},
    StatusLine{205, "HTTP/1.1 205 Reset Content\r\n"},
    StatusLine{206, "HTTP/1.1 206 Partial Content\r\n"},
    StatusLine{207, "HTTP/1.1 207 Multi-Status\r\n"},
    StatusLine{208, "HTTP/1.1 208 Already Reported\r\n"},
    StatusLine{226, "HTTP/1.1 226 IM Used\r\n"},
    StatusLine{300, "HTTP/1.1 300 Multiple Choices\r\n"},
    StatusLine{301, "HTTP/1.1 301 Moved Permanently\r\n"},
    StatusLine{302, "HTTP/1.1 302 Found\r\n"},
    StatusLine{303, "HTTP/1.1 303 See Other\r\n"},
    StatusLine{304, "HTTP/1.1 304 Not Modified\r\n"},
    StatusLine{305, "HTTP/1.1 305 Use Proxy\r\n"},
    StatusLine{307, "HTTP/1.1 307 Temporary Redirect\r\n"},
    StatusLine{308, "HTTP/1.1 308 Permanent Redirect\r\n"},
    StatusLine{400, "HTTP/1.1 400 Bad Request\r\n"},
    StatusLine{401, "HTTP/1.1 401 Unauthorized\r\n"},
    StatusLine{402, "HTTP/1.1 402 Payment Required\r\n"},
    StatusLine{403, "HTTP/1.1 403 Forbidden\r\n"},
    StatusLine{404, "HTTP/1.1 404 Not Found\r\n"},
    StatusLine{405, "HTTP/1.1 405 Method Not Allowed\r\n"},
    StatusLine{406, "HTTP/1.1 406 Not Acceptable\r\n"},
    StatusLine{407, "HTTP/1.1 407 Proxy Authentication Required\r\n"},
    StatusLine{408, "HTTP/1.1 408 Request Timeout\r\n"},
    StatusLine{409, "HTTP/1.1 409 Conflict\r\n"},
    StatusLine{410, "HTTP/1.1 410 Gone\r\n"},
    StatusLine{411, "HTTP/1.1 411 Length Required\r\n"},
    StatusLine{412, "HTTP/1.1 412 Precondition Failed\r\n"},
    StatusLine{413, "HTTP/1.1 413 Content Too Large\r\n"},
    StatusLine{414, "HTTP/1.1 414 URI Too Long\r\n"},
    StatusLine{415, "HTTP/1.1 415 Unsupported Media Type\r\n"},
    StatusLine{416, "HTTP/1.1 416 Range Not Satisfiable\r\n"},
    StatusLine{417, "HTTP/1.1 417 Expectation Failed\r\n"},
    StatusLine{421, "HTTP/1.1 421 Misdirected Request\r\n"},
    StatusLine{422, "HTTP/1.1 422 Unprocessable Content\r\n"},
    StatusLine{423, "HTTP/1.1 423 Locked\r\n"},
    StatusLine{424, "HTTP/1.1 424 Failed Dependency\r\n"},
    StatusLine{425, "HTTP/1.1 425 Too Early\r\n"},
    StatusLine{426, "HTTP/1.1 426 Upgrade Required\r\n"},
    StatusLine{428, "HTTP/1.1 428 Precondition Required\r\n"},
    StatusLine{429, "HTTP/1.1 429 Too Many Requests\r\n"},
    StatusLine{431, "HTTP/1.1 431 Request Header Fields Too Large\r\n"},
    StatusLine{451, "HTTP/1.1 451 Unavailable For Legal Reasons\r\n"},
    StatusLine{500, "HTTP/1.1 500 Internal Server Error\r\n"},
    StatusLine{501, "HTTP/1.1 501 Not Implemented\r\n"},
    StatusLine{502, "HTTP/1.1 502 Bad Gateway\r\n"},
    StatusLine{503, "HTTP/1.1 503 Service Unavailable\r\n"},
    StatusLine{504, "HTTP/1.1 504 Gateway Timeout\r\n"},
    StatusLine{505, "HTTP/1.1 505 HTTP Version Not Supported\r\n"},
    StatusLine{506, "HTTP/1.1 506 Variant Also Negotiates\r\n"},
    StatusLine{507, "HTTP/1.1 507 Insufficient Storage\r\n"},
    StatusLine{508, "HTTP/1.1 508 Loop Detected\r\n"},
    StatusLine{510, "HTTP/1.1 510 Not Extended\r\n"},
    StatusLine{511, "HTTP/1.1 511 Network Authentication Required\r\n"},
};

constexpr std::size_t kPhraseStart = std::string_view("HTTP/1.1 200 ").size();
constexpr int kFirstStatus = 100;
constexpr int kLastStatus = 999;

// 1 + the index of each registered code's line, by code.
constexpr auto kLineIndex = [] {
  std::array<std::uint8_t, 600> table{};
  for (std::size_t i = 0; i < kStatusLines.size(); ++i) {
    table[static_cast<std::size_t>(kStatusLines[i].status)] = static_cast<std::uint8_t>(i + 1);
  }
  return table;
}();

std::string_view registered_line(int status) {
  const auto code = static_cast<std::size_t>(status);
  if (code >= kLineIndex.size() || kLineIndex[code] == 0) return {};
  return kStatusLines[kLineIndex[code] - std::size_t{1}].line;
}

void append_status_line(std::string& out, const ResponseHead& head) {
  const bool valid = head.status >= kFirstStatus && head.status <= kLastStatus;
  const int status = valid ? head.status : 500;
  const std::string_view line = registered_line(status);
  const bool own_reason = !head.reason.empty() && base::is_field_value(head.reason);
  if (!own_reason && !line.empty()) {
    out.append(line);
    return;
  }
  char code[3];
  std::to_chars(code, code + sizeof code, status);
  out.append("HTTP/1.1 ").append(code, sizeof code).append(" ");
  if (own_reason) out.append(head.reason);
  out.append("\r\n");
}

std::optional<std::uint64_t> parse_own_length(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

constexpr std::string_view kColon = ": ";
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::size_t kAroundField = kColon.size() + kLineEnd.size();

// Copies to `at`, and returns where it ends.
char* put(char* at, std::string_view part) {
  if (!part.empty()) std::memcpy(at, part.data(), part.size());
  return at + part.size();
}

// "content-length" and the like: what add() looks at besides copying it.
enum class Special : std::uint8_t {
  kNone,
  kAcceptRanges,
  kCacheControl,
  kContentType,
  kETag,
  kForbidsCoding,
  kVary,
  kConnection,
  kContentEncoding,
  kContentLength,
  kDate,
  kEvents,
  kKeepAlive,
  kTransferEncoding,
};

Special special_field(std::string_view name) {
  const auto is = [name](std::string_view other) { return base::iequals(name, other); };
  switch (name.size()) {
    case 4:
      if (is("date")) return Special::kDate;
      if (is("etag")) return Special::kETag;
      return is("vary") ? Special::kVary : Special::kNone;
    case 6:
      return is("digest") ? Special::kForbidsCoding : Special::kNone;
    case 10:
      if (is("connection")) return Special::kConnection;
      return is("keep-alive") ? Special::kKeepAlive : Special::kNone;
    case 11:
      return is("content-md5") || is("repr-digest") ? Special::kForbidsCoding : Special::kNone;
    case 12:
      return is("content-type") ? Special::kContentType : Special::kNone;
    case 13:
      if (is("cache-control")) return Special::kCacheControl;
      if (is("content-range")) return Special::kForbidsCoding;
      if (is("httpuv-events")) return Special::kEvents;
      return is("accept-ranges") ? Special::kAcceptRanges : Special::kNone;
    case 14:
      if (is("content-length")) return Special::kContentLength;
      return is("content-digest") ? Special::kForbidsCoding : Special::kNone;
    case 16:
      return is("content-encoding") ? Special::kContentEncoding : Special::kNone;
    case 17:
      return is("transfer-encoding") ? Special::kTransferEncoding : Special::kNone;
    default:
      return Special::kNone;
  }
}

}  // namespace

void ResponseHead::clear() {
  status = 200;
  reason.clear();
  static_cast<FieldFacts&>(*this) = {};
  events.clear();
  fields_.clear();
  type_offset_ = type_size_ = 0;
}

void ResponseHead::set_fields(const ResponseHead& other) {
  static_cast<FieldFacts&>(*this) = other;
  if (!events.empty() || !other.events.empty()) events = other.events;
  fields_ = other.fields_;
  type_offset_ = other.type_offset_;
  type_size_ = other.type_size_;
}

HeaderError ResponseHead::add(std::string_view name, std::string_view value) {
  if (!base::is_token(name)) return HeaderError::kBadName;
  if (!base::is_field_value(value)) return HeaderError::kBadValue;
  value = base::trim_ows(value);
  switch (special_field(name)) {
    case Special::kNone:
      break;
    case Special::kConnection:
      close |= base::has_list_token(value, "close");
      return HeaderError::kNone;
    case Special::kKeepAlive:
      return HeaderError::kNone;
    case Special::kTransferEncoding:
      return HeaderError::kFraming;
    case Special::kContentLength: {
      const std::optional<std::uint64_t> length = parse_own_length(value);
      if (!length || (content_length && content_length != length)) return HeaderError::kFraming;
      content_length = length;
      return HeaderError::kNone;
    }
    case Special::kContentEncoding:
      has_content_encoding = true;
      if (base::iequals(value, "identity")) return HeaderError::kNone;
      break;
    case Special::kDate:
      has_date = true;
      break;
    case Special::kEvents:
      events = value;
      return HeaderError::kNone;
    case Special::kAcceptRanges:
      has_accept_ranges = true;
      break;
    case Special::kCacheControl:
      forbids_coding |= base::has_list_token(value, "no-transform");
      break;
    case Special::kContentType:
      if (type_size_ > 0) break;  // the first one counts
      type_offset_ = fields_.size() + name.size() + 2;
      type_size_ = value.size();
      break;
    case Special::kETag:
      has_etag = true;
      break;
    case Special::kForbidsCoding:
      forbids_coding = true;
      break;
    case Special::kVary:
      has_vary = true;
      break;
  }
  // Grown once, and written in place.
  const std::size_t before = fields_.size();
  fields_.resize(before + name.size() + value.size() + kAroundField);
  char* at = fields_.data() + before;
  for (const std::string_view part : {name, kColon, value, kLineEnd}) at = put(at, part);
  return HeaderError::kNone;
}

std::string_view ResponseHead::get(std::string_view name) const {
  std::string_view rest = fields_;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find("\r\n"));
    rest.remove_prefix(line.size() + 2);
    const std::size_t colon = line.find(':');
    if (base::iequals(line.substr(0, colon), name)) return base::trim_ows(line.substr(colon + 1));
  }
  return {};
}

void write_response_head(std::string& out, const ResponseHead& head, Framing framing,
                         std::uint64_t length, bool keep_alive, int request_minor_version,
                         std::string_view date) {
  constexpr std::size_t kRoomForTheRest = 256;
  const std::size_t needed = out.size() + head.fields().size() + kRoomForTheRest;
  if (out.capacity() < needed) out.reserve(needed);
  append_status_line(out, head);
  out.append(head.fields());
  // The rest has a bound, so it is put together first: one append instead of ten.
  std::array<char, kRoomForTheRest> rest;
  char* at = rest.data();
  if (!head.has_date && !date.empty()) {
    at = put(put(put(at, "Date: "), date.substr(0, base::kHttpDateSize)), kLineEnd);
  }
  switch (framing) {
    case Framing::kNoBody:
    case Framing::kUntilClose:
      break;
    case Framing::kChunked:
      at = put(at, "Transfer-Encoding: chunked\r\n");
      break;
    case Framing::kLength:
      at = put(at, "Content-Length: ");
      at = put(std::to_chars(at, rest.data() + rest.size(), length).ptr, kLineEnd);
      break;
  }
  if (head.status == 101) {
    at = put(at, "Connection: Upgrade\r\n");
  } else if (!keep_alive || framing == Framing::kUntilClose) {
    at = put(at, "Connection: close\r\n");
  } else if (request_minor_version == 0) {
    at = put(at, "Connection: keep-alive\r\n");
  }
  at = put(at, kLineEnd);
  out.append(rest.data(), static_cast<std::size_t>(at - rest.data()));
}

std::string_view reason_phrase(int status) {
  std::string_view line = registered_line(status);
  if (line.empty()) return line;
  line.remove_suffix(2);
  return line.substr(kPhraseStart);
}

PlainResponse plain_response(int status, std::string_view text) {
  PlainResponse response;
  response.head.status = status;
  response.head.add("Content-Type", "text/plain; charset=utf-8");
  response.body = text.empty() ? reason_phrase(status) : text;
  return response;
}

}  // namespace httpuv::http
