// Every limit and deadline of a server, with the answer beyond it. Plain data, copied into the
// server when it starts and not changed afterwards.
//
// There are no defaults here: python/httpuv/options/limits.py describes each limit, and a field
// that the conversion of the options leaves out is an error of the compiler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "http/parse/limits.h"

namespace httpuv::server {

struct Limits {
  http::RequestLimits request;  // head bytes and header count (431), body bytes (413)

  std::size_t body_memory_bytes;  // a body past this is spooled to a file

  // Milliseconds.
  std::int64_t tls_handshake_timeout;  // from the connection to its end (closed)
  std::int64_t header_timeout;         // from a request's first byte to its head's end (408)
  std::int64_t body_timeout;           // without a byte of a body that is due (408)
  std::int64_t idle_timeout;           // without a request on a kept connection (closed)
  std::int64_t write_timeout;          // without the peer taking a byte of an answer (closed)
  std::int64_t linger_timeout;         // without a byte while a refused request drains (closed)

  std::size_t max_connections;  // further ones wait in the kernel's backlog
  std::size_t max_pipelined;    // requests of one connection under way at once

  // Requests that Python has and has not answered; beyond: 503 with Retry-After.
  std::size_t queue_requests;

  // Bytes held for all clients together; see Budget. A body that can never fit gets 413; a body
  // that does not fit now gets 503 with Retry-After, or is not read.
  std::uint64_t memory_bytes;
  std::optional<std::uint64_t> disk_bytes;  // none: default_disk_bytes(), when the server starts
  std::uint64_t queue_bytes;                // request bodies, in both

  // WebSocket.
  std::uint64_t ws_max_message;    // bytes after inflation (close code 1009)
  std::size_t ws_max_queue;        // bytes that wait for a peer (ws_overflow)
  std::size_t ws_max_unread;       // bytes the application lags behind; then reading stops
  std::int64_t ws_accept_timeout;  // without the application's word on a handshake (503)
  std::int64_t ws_ping_interval;   // 0: no pings
  std::int64_t ws_pong_timeout;    // without a byte from the peer after a ping (closed)
  std::int64_t ws_close_timeout;   // without the peer's Close after ours (closed)
};

}  // namespace httpuv::server
