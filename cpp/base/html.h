// Text for HTML.
//
// Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::base {

// For text and for attribute values in quotes. What is not UTF-8 or not printable is shown as
// U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace httpuv::base
