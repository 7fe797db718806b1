// Which media types a client takes (RFC 9110 section 12.5.1).
//
// Pure; any thread. What cannot be read counts as not said.
#pragma once

#include <string_view>

namespace httpuv::files {

// Whether the client names text/html: a browser that shows a page, unlike a program that sends
// nothing or "*/*".
bool wants_html(std::string_view accept);

// Whether it would rather have JSON than HTML, and says so.
bool wants_json(std::string_view accept);

}  // namespace httpuv::files
