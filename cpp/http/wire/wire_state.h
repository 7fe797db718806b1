// The state of an HTTP/1 connection, with its table of transitions.
//
//   Open, HalfClosed              requests are parsed and answered; HalfClosed: the peer has sent
//                                 FIN, and may still read answers
//   Refused, RefusedHalfClosed    the input is broken, or too late: no more of it is parsed; the
//                                 answers up to the refusal are sent
//   Lingering                     the last answer leaves, then FIN; what the peer still sends is
//                                 read and dropped, so that no RST destroys the answer (RFC 9112
//                                 section 9.6)
//   Finishing                     the last answer leaves, then the connection is closed
//   Upgraded                      another protocol has the connection
//   Gone                          the connection has ended
//
// Plain values, no thread of their own; a part of a Wire. A transition that is not in the table is
// a mistake of the caller: an assertion fails, or without assertions nothing changes.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace httpuv::http {

enum class WireState : std::uint8_t {
  kOpen,
  kHalfClosed,
  kRefused,
  kRefusedHalfClosed,
  kLingering,
  kFinishing,
  kUpgraded,
  kGone,
};
inline constexpr std::size_t kWireStates = 8;

enum class WireStep : std::uint8_t {
  kFin,      // the peer ends its side
  kRefuse,   // its input is refused
  kLinger,   // the last answer was given, while the peer may be sending
  kFinish,   // the last answer was given, and the peer sends nothing more
  kUpgrade,  // another protocol takes over
  kEnd,      // the connection ends
};
inline constexpr std::size_t kWireSteps = 6;

namespace table {

inline constexpr auto kNoState = static_cast<WireState>(0xFF);

// A row for each state, a column for each step.
using W = WireState;
inline constexpr std::array<std::array<WireState, kWireSteps>, kWireStates> kWire = {{
    // kFin, kRefuse, kLinger, kFinish, kUpgrade, kEnd
    // kOpen:
    {W::kHalfClosed, W::kRefused, W::kLingering, W::kFinishing, W::kUpgraded, W::kGone},
    // kHalfClosed:
    {kNoState, W::kRefusedHalfClosed, W::kFinishing, W::kFinishing, W::kUpgraded, W::kGone},
    // kRefused:
    {W::kRefusedHalfClosed, kNoState, W::kLingering, W::kFinishing, kNoState, W::kGone},
    // kRefusedHalfClosed:
    {kNoState, kNoState, W::kFinishing, W::kFinishing, kNoState, W::kGone},
    // kLingering:
    {W::kFinishing, kNoState, kNoState, kNoState, kNoState, W::kGone},
    // kFinishing:
    {W::kFinishing, kNoState, kNoState, kNoState, kNoState, W::kGone},
    // kUpgraded:
    {kNoState, kNoState, kNoState, kNoState, kNoState, W::kGone},
    // kGone:
    {W::kGone, kNoState, kNoState, kNoState, kNoState, W::kGone},
}};

}  // namespace table

constexpr bool may_follow(WireState state, WireStep step) {
  return table::kWire[static_cast<std::size_t>(state)][static_cast<std::size_t>(step)] !=
         table::kNoState;
}

// The next state; `state` itself if the table has no transition.
constexpr WireState after(WireState state, WireStep step) {
  assert(may_follow(state, step));
  if (!may_follow(state, step)) return state;
  return table::kWire[static_cast<std::size_t>(state)][static_cast<std::size_t>(step)];
}

}  // namespace httpuv::http
