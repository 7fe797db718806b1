// Which encoded form of a file a client wants (RFC 9110 section 12.5.3).
//
// Pure; any thread. Entries that cannot be parsed are ignored.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "coding/coding.h"

namespace httpuv::coding {

// The available coding with the greatest weight; for equal weights the first in the order of
// Coding.
// Nothing if the client prefers the plain file, accepts no available coding, or sent no
// Accept-Encoding ("").
std::optional<Coding> choose_coding(std::string_view accept_encoding,
                                    const std::array<bool, kCodings>& there);

}  // namespace httpuv::coding
