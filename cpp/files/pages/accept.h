// The media types that a client accepts (RFC 9110 section 12.5.1).
//
// Pure; any thread. Entries that cannot be parsed are ignored.
#pragma once

#include <string_view>

namespace httpuv::files {

// Whether the client names text/html: a browser that shows a page, unlike a program that sends
// nothing or "*/*".
bool wants_html(std::string_view accept);

// Whether it explicitly prefers JSON to HTML.
bool wants_json(std::string_view accept);

}  // namespace httpuv::files
