// The messages that a WebSocketSession cannot send yet; for its own source files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "server/message/publication.h"
#include "server/websocket/websocket_session.h"

namespace httpuv::server {

struct WebSocketSession::Together {
  std::string bytes;
  base::Charge charge;
};

struct WebSocketSession::Backlog {
  struct Farewell {
    std::uint16_t code;
    std::string reason;
  };
  std::deque<SharedOutgoing> messages;
  std::size_t bytes = 0;
  std::optional<Farewell> farewell;  // nothing is taken behind it
  bool conclude = false;
};

}  // namespace httpuv::server
