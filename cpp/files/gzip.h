// Compresses a whole body (RFC 1952). CPU work: pool threads for anything long. The same bytes in
// give the same bytes out: no name and no time are recorded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace httpuv::files {

// Nothing when there is no memory for it.
std::optional<std::string> gzip(std::string_view bytes);

}  // namespace httpuv::files
