// The error page for browsers. Programs get plain text.
//
// Pure; any thread. It reveals only the status.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::files {

// `phrase`: the reason phrase of the status.
std::string error_page(int status, std::string_view phrase);

}  // namespace httpuv::files
