// The names of connections and exchanges.
//
// Thread: any; plain data.
// Ownership: none. A number whose connection has gone names nothing: a command that carries it does
//   nothing.
// Failure: none.
#pragma once

#include <cstdint>

namespace httpuv::server {

struct ConnectionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const ConnectionId&) const = default;
};

// Names one exchange of one connection.
struct ExchangeId {
  ConnectionId connection;
  std::uint32_t sequence = 0;
  bool operator==(const ExchangeId&) const = default;
};

}  // namespace httpuv::server
