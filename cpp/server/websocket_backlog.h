// What a WebSocketSession has to send and cannot yet; for its own source files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "server/websocket_session.h"
#include "websocket/prepared_message.h"

namespace httpuv::server {

struct WebSocketSession::Outgoing {
  websocket::PreparedMessage message;
  bool compress;
  bool ready = true;
  base::Charge charge;  // for the frames that were made of it
};

struct WebSocketSession::Together {
  std::string bytes;
  base::Charge charge;
};

inline std::size_t WebSocketSession::cost_of(const Outgoing& message) {
  return sizeof(Outgoing) + message.message.memory();
}

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
