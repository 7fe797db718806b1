// The limits that tests and fuzzers begin with. The core has no defaults of its own; these are such
// that no limit is in the way.
#pragma once

#include <cstdint>
#include <optional>

#include "http/parse/limits.h"
#include "server/worker/limits.h"

namespace httpuv::http {

inline RequestLimits usual_limits() {
  return {.max_head_bytes = 96 * 1024,
          .max_header_count = 128,
          .max_body_bytes = std::uint64_t{1024} * 1024 * 1024};
}

}  // namespace httpuv::http

namespace httpuv::server {

inline Limits usual_limits() {
  return {.request = http::usual_limits(),
          .body_memory_bytes = 64 * 1024,
          .tls_handshake_timeout = 10'000,
          .header_timeout = 20'000,
          .body_timeout = 30'000,
          .idle_timeout = 75'000,
          .write_timeout = 60'000,
          .linger_timeout = 5'000,
          .max_connections = 10'000,
          .max_pipelined = 64,
          .queue_requests = 10'000,
          .memory_bytes = std::uint64_t{512} * 1024 * 1024,
          .disk_bytes = std::nullopt,
          .queue_bytes = std::uint64_t{8} * 1024 * 1024 * 1024,
          .ws_max_message = 16 * 1024 * 1024,
          .ws_max_queue = 16 * 1024 * 1024,
          .ws_max_unread = 1024 * 1024,
          .ws_accept_timeout = 30'000,
          .ws_ping_interval = 20'000,
          .ws_pong_timeout = 40'000,
          .ws_close_timeout = 5'000};
}

}  // namespace httpuv::server
