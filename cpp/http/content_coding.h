// What it does to the head of an answer when the server itself codes the content, gzip for
// instance, for the clients that accept it.
//
// Pure functions, no thread affinity; nothing here fails.
#pragma once

#include <string_view>

#include "http/response.h"

namespace httpuv::http {

// Whether the application leaves that to the server: the content is not coded already, no part of
// something larger (206), not to be transformed (RFC 9111 section 5.2.2.6), and there is no digest
// that it has to match (RFC 9530).
bool may_be_coded(const ResponseHead& head);

// Says that the answer depends on Accept-Encoding, whether or not this one is coded: one Vary that
// names it once, behind what the application says (RFC 9110 section 12.5.5).
void vary_by_coding(ResponseHead& head);

// Says that the content is coded. A strong ETag becomes a weak one, since the two forms are the
// same in meaning but not in bytes (RFC 9110 section 8.8.3.3; as nginx does); Accept-Ranges goes,
// since the application's ranges are those of the content as it was.
void mark_coded(ResponseHead& head, std::string_view coding);

}  // namespace httpuv::http
