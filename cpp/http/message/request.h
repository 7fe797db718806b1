// The head of a request: method, target and fields, as plain owned data.
//
// No thread affinity: made by RequestParser, then moved from thread to thread. Everything in it
// has been checked by the parser; nothing here fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace httpuv::http {

// The fields a server sees often. In the order of kNames in request.cpp.
enum class Field : std::uint8_t {
  kOther,
  kAccept,
  kAcceptCharset,
  kAcceptEncoding,
  kAcceptLanguage,
  kAccessControlRequestHeaders,
  kAccessControlRequestMethod,
  kAuthorization,
  kCacheControl,
  kConnection,
  kContentDisposition,
  kContentEncoding,
  kContentLanguage,
  kContentLength,
  kContentRange,
  kContentType,
  kCookie,
  kDate,
  kDnt,
  kExpect,
  kForwarded,
  kFrom,
  kHost,
  kIfMatch,
  kIfModifiedSince,
  kIfNoneMatch,
  kIfRange,
  kIfUnmodifiedSince,
  kKeepAlive,
  kMaxForwards,
  kOrigin,
  kPragma,
  kPriority,
  kProxyAuthorization,
  kProxyConnection,
  kRange,
  kReferer,
  kSecChUa,
  kSecChUaMobile,
  kSecChUaPlatform,
  kSecFetchDest,
  kSecFetchMode,
  kSecFetchSite,
  kSecFetchUser,
  kSecGpc,
  kSecWebSocketExtensions,
  kSecWebSocketKey,
  kSecWebSocketProtocol,
  kSecWebSocketVersion,
  kTe,
  kTraceparent,
  kTracestate,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUpgradeInsecureRequests,
  kUserAgent,
  kVia,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXRealIp,
  kXRequestedWith,
  kXRequestId,
  kCount,
};

// Lower-case; "" for kOther and kCount.
std::string_view field_name(Field field);

// kOther for other names. The argument must be in lower case.
Field find_field(std::string_view lower_case);

// The first line of a head, without its end; the whole text if the end has not come.
std::string_view first_line(std::string_view head);

// A part of RequestHead::bytes.
struct Slice {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

struct HeaderField {
  Slice name;   // lower-case
  Slice value;  // without white space around it
  Field id = Field::kOther;
};

// What a head says, but for its text: plain numbers, which are copied as a block.
struct HeadFacts {
  Slice method;
  Slice target;     // as sent
  Slice path;       // as sent, percent-encoded; "/" for an absolute target without one; "*" for
                    // "OPTIONS *"; empty for CONNECT
  Slice query;      // what is behind "?", as sent, without a fragment
  Slice authority;  // host[:port] of an absolute target, or the target of CONNECT; else empty

  std::optional<std::uint64_t> content_length;
  std::uint64_t number = 0;        // of heads with these bytes, which come again and again; 0: none
  std::uint8_t minor_version = 1;  // HTTP/1.<minor>
  bool keep_alive = true;          // what the client asks for (RFC 9112 section 9.3)
  bool chunked = false;
  bool expects_continue = false;  // Expect: 100-continue in HTTP/1.1, with a body
  bool upgrade = false;           // HTTP/1.1, Upgrade is there and Connection lists it
  bool has_query = false;         // distinguishes "/?" from "/"
  bool is_get = false;
  bool is_head = false;
  bool is_options = false;
  bool is_connect = false;
};

struct RequestHead : HeadFacts {
  // The head as it came, but with the names of the fields in lower case. Every Slice is a part of
  // it.
  std::string bytes;
  // In the order of arrival. Host is that of the target where the target has one (RFC 9112 section
  // 3.2.2): what the client wrote into the field itself is ignored then.
  std::vector<HeaderField> fields;

  [[nodiscard]] bool has_body() const { return chunked || content_length.value_or(0) > 0; }

  [[nodiscard]] std::string_view view(Slice slice) const {
    return std::string_view(bytes.data() + slice.offset, slice.size);
  }

  // Clears the head and keeps its memory for the next one.
  void clear();

  // Takes what `other` says, and leaves it the memory of this head: it is to be cleared.
  void take(RequestHead& other) noexcept {
    bytes.swap(other.bytes);
    fields.swap(other.fields);
    static_cast<HeadFacts&>(*this) = other;
  }

  // The value of the first field of that name, or "".
  [[nodiscard]] std::string_view get(Field field) const;
  [[nodiscard]] bool has(Field field) const;

  // All values of that name as one: joined by ", ", or "; " for Cookie (RFC 9110 section 5.3, RFC
  // 9113 section 8.2.3).
  [[nodiscard]] std::string joined(Field field) const;
};

}  // namespace httpuv::http
