// Every limit and deadline of a server, with the answer beyond it. Plain data, copied into the
// server when it starts and not changed afterwards.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "http/limits.h"

namespace httpuv::server {

struct Limits {
  http::RequestLimits request;  // head bytes and header count (431), body bytes (413)

  std::size_t body_memory_bytes = 64 * 1024;  // a body past this is spooled to a file

  // Milliseconds.
  std::int64_t tls_handshake_timeout = 10'000;  // from the connection to its end (closed)
  std::int64_t header_timeout = 20'000;  // from a request's first byte to its head's end (408)
  std::int64_t body_timeout = 30'000;    // without a byte of a body that is due (408)
  std::int64_t idle_timeout = 75'000;    // without a request on a kept connection (closed)
  std::int64_t write_timeout = 60'000;   // without the peer taking a byte of an answer (closed)
  std::int64_t linger_timeout = 5'000;   // without a byte while a refused request drains (closed)

  std::size_t max_connections = 10'000;  // further ones wait in the kernel's backlog
  std::size_t max_pipelined = 64;        // requests of one connection under way at once

  // Requests that Python has and has not answered; beyond: 503 with Retry-After.
  std::size_t queue_requests = 10'000;

  // Bytes held for all clients together; see Budget. A body that can never fit gets 413; a body
  // that does not fit now gets 503 with Retry-After, or is not read.
  std::uint64_t memory_bytes = std::uint64_t{512} * 1024 * 1024;
  std::optional<std::uint64_t> disk_bytes{};  // default_disk_bytes(), when the server starts
  std::uint64_t queue_bytes = std::uint64_t{8} * 1024 * 1024 * 1024;  // request bodies, in both

  // WebSocket.
  std::uint64_t ws_max_message = 16 * 1024 * 1024;  // bytes after inflation (close code 1009)
  std::size_t ws_max_queue = 16 * 1024 * 1024;      // bytes that wait for a peer (ws_overflow)
  std::size_t ws_max_unread = 1024 * 1024;  // bytes the application lags behind; then reading stops
  std::int64_t ws_accept_timeout = 30'000;  // without the application's word on a handshake (503)
  std::int64_t ws_ping_interval = 20'000;   // 0: no pings
  std::int64_t ws_pong_timeout = 40'000;    // without a byte from the peer after a ping (closed)
  std::int64_t ws_close_timeout = 5'000;    // without the peer's Close after ours (closed)
};

}  // namespace httpuv::server
