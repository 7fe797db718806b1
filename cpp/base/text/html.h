// Text for HTML.
//
// Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::base {

// For text and for attribute values in quotes. Bytes that are not UTF-8, and characters that are
// not printable, become U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace httpuv::base
