// What a request head means: the rules of RFC 9112 that llhttp leaves to its user, and the facts
// that the rest of the server asks for.
//
// Pure function, any thread; part of RequestParser.
#pragma once

#include "http/refusal.h"
#include "http/request.h"

namespace httpuv::http {

// `head` has `bytes` as they came, from the method to the empty line, and `fields` with the slices
// llhttp found in them. Fills in the rest, or says why the request is refused.
Refusal check_head(RequestHead& head);

// The same for a trailer section: none of it is used, but what would have changed the framing or
// the routing of the request must not have been sent (RFC 9110 section 6.5.1).
Refusal check_trailers(RequestHead& trailers);

}  // namespace httpuv::http
