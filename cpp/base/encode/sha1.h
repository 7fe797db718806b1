// SHA-1 (FIPS 180-4), only because the WebSocket handshake asks for it (RFC 6455 section 4.2.2).
// Not for security.
//
// Pure function, any thread; does not fail.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace httpuv::base {

std::array<std::uint8_t, 20> sha1(std::string_view message);

}  // namespace httpuv::base
