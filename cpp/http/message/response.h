// The head of an answer: its fields, and how it is written.
//
// Plain data and pure functions, no thread affinity: a head is built on the application's thread
// and written on the loop thread. Invalid fields are refused when they are added, so nothing unsafe
// reaches the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace httpuv::http {

enum class HeaderError : std::uint8_t {
  kNone,
  kBadName,   // not a token
  kBadValue,  // has a control character, CR or LF for instance
  kFraming,   // Transfer-Encoding, or a Content-Length that is not one number: framing is the
              // server's
};

// What ResponseHead::add() has noted of the fields, so that nothing of it is read again: plain
// values, which are copied and cleared together.
struct FieldFacts {
  // Connection: "close" ends the connection after this answer; never written from here.
  bool close = false;
  // Content-Length is not among fields(): the writer of the head knows the length, or asks here.
  std::optional<std::uint64_t> content_length;
  bool has_content_encoding = false;
  bool has_date = false;
  bool has_vary = false;
  bool has_etag = false;
  bool has_accept_ranges = false;
  bool forbids_coding = false;  // no-transform, a range or a digest: see content_coding.h
};

class ResponseHead : public FieldFacts {
 public:
  int status = 200;    // 100 to 999
  std::string reason;  // empty: the standard phrase

  // Httpuv-Events: which stream of events is to feed this answer; never written from here.
  std::string events;

  [[nodiscard]] std::string_view content_type() const {
    return std::string_view(fields_).substr(type_offset_, type_size_);
  }

  // Appends a field; white space around the value is dropped. Connection, Content-Length
  // and Httpuv-Events are noted above instead, Keep-Alive is dropped, the others are noted besides.
  // "Content-Encoding: identity" is only noted, too: it is no coding that is sent (RFC 9110
  // section 8.4.1). On an error the head is as it was.
  HeaderError add(std::string_view name, std::string_view value);

  // Has the fields of another head, and what add() has noted of them.
  void set_fields(const ResponseHead& other);

  // The value of the first field of that name, or "".
  [[nodiscard]] std::string_view get(std::string_view name) const;

  // For valid fields: "Name: value\r\n" once or more, without fields that are noted.
  void add_serialized(std::string_view lines) { fields_.append(lines); }

  // Clears the head and keeps its memory for the next one.
  void clear();

  // "Name: value\r\n" for each field that is written as it is.
  [[nodiscard]] const std::string& fields() const { return fields_; }
  // content_type() is empty from now on.
  void replace_fields(std::string&& lines) {
    fields_ = std::move(lines);
    type_offset_ = type_size_ = 0;
  }

 private:
  std::string fields_;
  std::size_t type_offset_ = 0;
  std::size_t type_size_ = 0;
};

// How the end of the body is marked (RFC 9112 section 6).
enum class Framing : std::uint8_t {
  kNoBody,      // nothing is said: 1xx, 204, 304
  kLength,      // Content-Length
  kChunked,     // Transfer-Encoding; for HTTP/1.1 clients only
  kUntilClose,  // the end of the connection
};

// Appends the whole head, with the empty line. `date` has kHttpDateSize characters and is written
// unless the application gave a Date; "" writes none. `length` is used with kLength only.
// `keep_alive` false writes "Connection: close"; true writes "keep-alive" for HTTP/1.0 clients only
// (RFC 9112 section 9.3). 101 writes "Connection: Upgrade". A status out of range is written as
// 500, an invalid reason as the standard phrase.
void write_response_head(std::string& out, const ResponseHead& head, Framing framing,
                         std::uint64_t length, bool keep_alive, int request_minor_version,
                         std::string_view date);

// The registered phrase (RFC 9110 section 15 and the IANA registry); "" for a code without one.
std::string_view reason_phrase(int status);

// Whether an answer with this status never has a body: 1xx, 204, 304 (RFC 9110 section 6.4.1).
constexpr bool body_forbidden(int status) {
  return (status >= 100 && status < 200) || status == 204 || status == 304;
}

// Whether an answer with this status has no content, whatever the application gives: the statuses
// above, and 205, which is sent with Content-Length: 0 (RFC 9110 section 15.3.6).
constexpr bool content_forbidden(int status) {
  return body_forbidden(status) || status == 205;
}

// A small answer of the server's own: text/plain; charset=utf-8.
struct PlainResponse {
  ResponseHead head;
  std::string body;
};
// `text` empty: the reason phrase.
PlainResponse plain_response(int status, std::string_view text = {});

}  // namespace httpuv::http
