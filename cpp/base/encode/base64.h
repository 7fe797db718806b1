// Base64 with the standard alphabet and padding (RFC 4648 section 4), without line breaks.
//
// Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace httpuv::base {

std::string base64_encode(std::string_view bytes);

// Nothing unless `text` is canonical: whole groups of four, padding only at the end, unused bits
// zero, no white space (RFC 4648 section 3.5).
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace httpuv::base
