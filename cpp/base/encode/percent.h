// Percent-encoding of URI paths (RFC 3986 section 2.1).
//
// Pure functions, any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace httpuv::base {

// Every %XX becomes its byte, also NUL and "/"; the caller decides about those. Nothing if a "%" is
// not followed by two hexadecimal digits. "+" stays "+".
std::optional<std::string> percent_decode(std::string_view text);

// Encodes what may not stand in a path as it is; "/" stays.
std::string percent_encode_path(std::string_view bytes);

}  // namespace httpuv::base
