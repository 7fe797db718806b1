// Changes to the head of an answer if the server itself codes the content (gzip, for instance) for
// clients that accept it.
//
// Pure functions, no thread affinity; nothing here fails.
#pragma once

#include <string_view>

#include "http/message/response.h"

namespace httpuv::http {

// Whether the server may code the content: it is not coded already, not a part (206), not marked
// no-transform (RFC 9111 section 5.2.2.6), and has no digest (RFC 9530).
bool may_be_coded(const ResponseHead& head);

// Adds Accept-Encoding to Vary, once and after the application's own names, whether or not this
// answer is coded (RFC 9110 section 12.5.5).
void vary_by_coding(ResponseHead& head);

// Marks the content as coded. A strong ETag becomes a weak one, because the two forms have equal
// meaning but different bytes (RFC 9110 section 8.8.3.3; nginx does the same). Accept-Ranges is
// removed, because the application's ranges refer to the uncoded content.
void mark_coded(ResponseHead& head, std::string_view coding);

}  // namespace httpuv::http
