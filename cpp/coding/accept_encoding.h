// Which encoded form of a file a client wants (RFC 9110 section 12.5.3).
//
// Pure; any thread. What cannot be read counts as not said.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "coding/coding.h"

namespace httpuv::coding {

// The coding with the greatest weight among those that are there; of equal ones the first of our
// own order. Nothing when the client would rather have the file as it is, accepts no such coding,
// or sent no Accept-Encoding ("").
std::optional<Coding> choose_coding(std::string_view accept_encoding,
                                    const std::array<bool, kCodings>& there);

}  // namespace httpuv::coding
