// The small page that tells a browser what went wrong. Programs get plain text.
//
// Pure; any thread. Says nothing of the server but the status.
#pragma once

#include <string>
#include <string_view>

namespace httpuv::files {

// `phrase`: the reason phrase of the status.
std::string error_page(int status, std::string_view phrase);

}  // namespace httpuv::files
