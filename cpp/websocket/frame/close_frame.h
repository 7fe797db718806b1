// The payload of a Close frame: which codes may travel, and how code and reason are packed
// (RFC 6455 sections 5.5.1 and 7.4).
//
// Pure functions, any thread; nothing here allocates or fails other than by its result.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "websocket/frame/fault.h"

namespace httpuv::websocket {

inline constexpr std::uint16_t kCloseNormal = 1000;
inline constexpr std::uint16_t kCloseGoingAway = 1001;
inline constexpr std::uint16_t kCloseProtocolError = 1002;
inline constexpr std::uint16_t kCloseNoStatus =
    1005;  // never on the wire: "the Close frame was empty"
inline constexpr std::uint16_t kCloseAbnormal = 1006;  // never on the wire: "no Close frame came"
inline constexpr std::uint16_t kCloseBadData = 1007;
inline constexpr std::uint16_t kCloseTooBig = 1009;
inline constexpr std::uint16_t kCloseInternalError = 1011;
inline constexpr std::uint16_t kCloseTryAgainLater = 1013;

// A control frame carries at most 125 bytes, two of which are the code.
inline constexpr std::size_t kMaxControlPayload = 125;
inline constexpr std::size_t kMaxCloseReason = kMaxControlPayload - 2;

// May this code travel in a Close frame? 1000-1003 and 1007-1014 of the IANA registry, 3000-4999;
// not 1004-1006, not 1015, nothing below 1000, not the unassigned rest of 1016-2999.
bool is_wire_close_code(std::uint16_t code);

// May Session::append_close() be called with these? The code as above - or kCloseNoStatus with an
// empty reason, which sends an empty Close frame -, the reason UTF-8 of at most kMaxCloseReason
// bytes.
bool is_valid_close(std::uint16_t code, std::string_view reason);

// Splits a received Close payload. An empty one gives kCloseNoStatus. `reason` points into
// `payload`.
Fault parse_close(std::string_view payload, std::uint16_t& code, std::string_view& reason);

}  // namespace httpuv::websocket
