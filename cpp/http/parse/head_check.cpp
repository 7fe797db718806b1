#include "http/parse/head_check.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string_view>

#include "base/text/ascii.h"
#include "http/message/target.h"

namespace httpuv::http {
namespace {

// The number of fields of a name, and the last one.
struct Seen {
  std::size_t count = 0;
  HeaderField* field = nullptr;

  void add(HeaderField& found) {
    ++count;
    field = &found;
  }
};

struct FramingFields {
  Seen host, content_length, expect;
  std::size_t content_types = 0;
  std::size_t transfer_encodings = 0;
  bool upgrade = false;
  bool connection_close = false, connection_keep_alive = false, connection_upgrade = false;
};

Slice slice_of(const RequestHead& head, std::string_view part) {
  if (part.empty()) return {};
  return {static_cast<std::uint32_t>(part.data() - head.bytes.data()),
          static_cast<std::uint32_t>(part.size())};
}

// method SP request-target SP HTTP-version CRLF. llhttp has read it already, but takes several
// spaces for one, and version 2.0. It also admits ICE and RTSP with their own methods, which frame
// their messages as HTTP does.
Refusal check_request_line(RequestHead& head) {
  const std::string_view bytes = head.bytes;
  const std::size_t method_end = bytes.find(' ');
  const std::size_t target_end = bytes.find(' ', method_end + 1);
  if (method_end == std::string_view::npos || target_end == std::string_view::npos) {
    return Refusal::kRequestLine;
  }
  const std::string_view method = bytes.substr(0, method_end);
  const std::string_view target = bytes.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view protocol = bytes.substr(target_end + 1, bytes.find('\r') - target_end - 1);
  if (target.empty() || protocol.starts_with(' ')) return Refusal::kRequestLine;
  const std::string_view version =
      protocol.substr(protocol.size() - std::min<std::size_t>(4, protocol.size()));
  if (!version.starts_with("/1.") || !base::is_digit(version.back())) return Refusal::kVersion;
  // A higher minor version is treated as the highest we know (RFC 9110 section 2.5).
  head.minor_version = version.back() == '0' ? 0 : 1;
  head.is_get = method == "GET";
  head.is_head = method == "HEAD";
  head.is_options = method == "OPTIONS";
  head.is_connect = method == "CONNECT";

  const bool asterisk = head.is_options || method == "M-SEARCH";  // UPnP's is always for "*"
  const TargetKind kind = head.is_connect ? TargetKind::kConnect
                          : asterisk      ? TargetKind::kAsteriskToo
                                          : TargetKind::kOther;
  Target parts;
  if (!parse_target(target, kind, parts)) return Refusal::kTarget;
  head.method = slice_of(head, method);
  head.target = slice_of(head, target);
  head.path = slice_of(head, parts.path);
  head.query = slice_of(head, parts.query);
  head.authority = slice_of(head, parts.authority);
  head.has_query = parts.has_query;
  return Refusal::kNone;
}

void read_connection(std::string_view value, FramingFields& found) {
  if (base::iequals(value, "keep-alive")) {  // the usual case
    found.connection_keep_alive = true;
    return;
  }
  found.connection_close |= base::has_list_token(value, "close");
  found.connection_keep_alive |= base::has_list_token(value, "keep-alive");
  found.connection_upgrade |= base::has_list_token(value, "upgrade");
}

FramingFields read_fields(RequestHead& head) {
  FramingFields found;
  char* const bytes = head.bytes.data();
  for (HeaderField& field : head.fields) {
    base::lower_in_place(bytes + field.name.offset, field.name.size);
    field.id = find_field(head.view(field.name));
    field.value = slice_of(head, base::trim_ows(head.view(field.value)));
    switch (field.id) {
      case Field::kHost:
        found.host.add(field);
        break;
      case Field::kContentLength:
        found.content_length.add(field);
        break;
      case Field::kTransferEncoding:
        ++found.transfer_encodings;
        break;
      case Field::kContentType:
        ++found.content_types;
        break;
      case Field::kExpect:
        found.expect.add(field);
        break;
      case Field::kUpgrade:
        found.upgrade |= field.value.size > 0;
        break;
      case Field::kConnection:
        read_connection(head.view(field.value), found);
        break;
      default:
        break;
    }
  }
  return found;
}

// RFC 9112 section 3.2: one Host in every HTTP/1.1 request, and a valid one. It may be empty where
// the target URI has no authority.
Refusal check_host(RequestHead& head, const Seen& host) {
  if (host.count > 1 || (host.count == 0 && head.minor_version > 0)) return Refusal::kHost;
  if (host.count == 0) return Refusal::kNone;
  const std::string_view value = head.view(host.field->value);
  if (!value.empty() && !is_host_and_port(value)) return Refusal::kHost;
  if (head.authority.size > 0) host.field->value = head.authority;
  return Refusal::kNone;
}

// 1*DIGIT, nothing else (RFC 9110 section 8.6).
std::optional<std::uint64_t> parse_length(std::string_view text) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!base::is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (text.empty()) return std::nullopt;
  return value;
}

// All Transfer-Encoding fields are one list (RFC 9110 section 5.3). It has to end in chunked, which
// must not come twice: otherwise the end of the body is unknown (RFC 9112 section 6.3). No other
// coding is decoded here, so none is accepted (section 6.1).
Refusal check_codings(RequestHead& head) {
  bool unsupported = false;
  for (const HeaderField& field : head.fields) {
    if (field.id != Field::kTransferEncoding) continue;
    std::string_view rest = head.view(field.value);
    for (bool more = true; more;) {
      if (head.chunked) return Refusal::kTransferEncoding;
      const std::size_t comma = rest.find(',');
      const std::string_view coding = base::trim_ows(rest.substr(0, comma));
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
      if (base::iequals(coding, "chunked")) {
        head.chunked = true;
        continue;
      }
      if (!base::is_token(coding)) return Refusal::kTransferEncoding;
      unsupported = true;
    }
  }
  if (!head.chunked) return Refusal::kTransferEncoding;
  return unsupported ? Refusal::kUnknownCoding : Refusal::kNone;
}

// RFC 9112 section 6. Requests that two parsers could read differently are refused.
Refusal check_framing(RequestHead& head, const FramingFields& found) {
  if (found.transfer_encodings > 0) {
    if (found.content_length.count > 0 || head.minor_version == 0) {
      return Refusal::kTransferEncoding;
    }
    const Refusal refusal = check_codings(head);
    if (refusal != Refusal::kNone) return refusal;
  }
  if (found.content_length.count > 0) {
    if (found.content_length.count > 1) return Refusal::kContentLength;
    head.content_length = parse_length(head.view(found.content_length.field->value));
    if (!head.content_length) return Refusal::kContentLength;
  }
  // It has no meaning (RFC 9110 section 9.3.6); some parsers would read it as the tunnel's data.
  if (head.is_connect && head.has_body()) return Refusal::kConnectBody;
  return Refusal::kNone;
}

// RFC 9110 section 10.1.1: an HTTP/1.0 client's is ignored.
Refusal check_expectation(RequestHead& head, const Seen& expect) {
  if (expect.count == 0 || head.minor_version == 0) return Refusal::kNone;
  if (expect.count > 1 || !base::iequals(head.view(expect.field->value), "100-continue")) {
    return Refusal::kExpectation;
  }
  head.expects_continue = head.has_body();
  return Refusal::kNone;
}

}  // namespace

Refusal check_head(RequestHead& head) {
  Refusal refusal = check_request_line(head);
  if (refusal != Refusal::kNone) return refusal;
  const FramingFields found = read_fields(head);
  head.keep_alive =
      !found.connection_close && (head.minor_version > 0 || found.connection_keep_alive);
  head.upgrade = head.minor_version > 0 && found.upgrade && found.connection_upgrade;
  refusal = check_host(head, found.host);
  if (refusal == Refusal::kNone) refusal = check_framing(head, found);
  if (refusal == Refusal::kNone && found.content_types > 1) refusal = Refusal::kContentType;
  if (refusal == Refusal::kNone) refusal = check_expectation(head, found.expect);
  return refusal;
}

Refusal check_trailers(RequestHead& trailers) {
  for (HeaderField& field : trailers.fields) {
    base::lower_in_place(trailers.bytes.data() + field.name.offset, field.name.size);
    const Field id = find_field(trailers.view(field.name));
    if (id == Field::kHost || id == Field::kContentLength || id == Field::kTransferEncoding) {
      return Refusal::kTrailer;
    }
  }
  return Refusal::kNone;
}

}  // namespace httpuv::http
