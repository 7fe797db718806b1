// Interprets a request head: the rules of RFC 9112 that llhttp leaves to its user, and the facts
// that the rest of the server needs.
//
// Pure function, any thread; part of RequestParser.
#pragma once

#include "http/message/refusal.h"
#include "http/message/request.h"

namespace httpuv::http {

// `head` has the `bytes` as they came, from the method to the empty line, and `fields` with the
// slices that llhttp found. Fills in the rest, or returns why the request is refused.
Refusal check_head(RequestHead& head);

// The same for a trailer section. Its fields are not used, but fields that would change the framing
// or the routing of the request are refused (RFC 9110 section 6.5.1).
Refusal check_trailers(RequestHead& trailers);

}  // namespace httpuv::http
