#include "http/message/content.h"

namespace httpuv::http {

Content content_of(const ResponseHead& head, const AskedBy& request,
                   std::optional<std::uint64_t> length) {
  // A 2xx to CONNECT begins a tunnel: neither field may stand in it (section 9.3.6), and what
  // follows it ends with the connection.
  if (request.connect && head.status >= 200 && head.status < 300) {
    return {Framing::kUntilClose, 0, !content_forbidden(head.status)};
  }
  if (head.status == 304 && head.content_length) {
    return {Framing::kLength, *head.content_length, false};
  }
  if (body_forbidden(head.status)) return {Framing::kNoBody, 0, false};
  if (content_forbidden(head.status)) return {Framing::kLength, 0, false};
  if (request.head) {
    // The length that a GET would get, if it is known: an application that gives no content to a
    // HEAD has not said how long it would be (section 8.6).
    if (head.content_length) return {Framing::kLength, *head.content_length, false};
    if (length.value_or(0) > 0) return {Framing::kLength, *length, false};
    if (length) return {Framing::kNoBody, 0, false};
    return {request.minor_version >= 1 ? Framing::kChunked : Framing::kUntilClose, 0, false};
  }
  if (length) return {Framing::kLength, *length, true};
  return {request.minor_version >= 1 ? Framing::kChunked : Framing::kUntilClose, 0, true};
}

}  // namespace httpuv::http
