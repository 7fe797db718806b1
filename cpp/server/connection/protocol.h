// The protocol of a connection. Its Connection passes on the events of transport and clock, and
// replaces it when another protocol takes over. The Connection does not know which protocol it has.
//
// Loop thread only. Owned by the Connection; a replaced protocol stays until the turn ends, because
// it may be on the stack. Fails by closing the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "server/observe/metrics.h"

namespace httpuv::server {

class HttpSession;
class WebSocketSession;

class Protocol {
 public:
  virtual ~Protocol() = default;

  // The protocol takes over the connection.
  virtual void start() = 0;
  // See net::StreamHandler.
  virtual std::span<char> read_into() { return {}; }
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_eof() = 0;
  virtual void on_drained() = 0;
  virtual void on_deadline() = 0;
  // The connection ends: nothing more is sent, and the application is notified.
  virtual void on_gone() = 0;
  // The server is stopping: ends the connection when all work under way is done.
  virtual void drain() = 0;
  // The state of the connection, for the metrics.
  [[nodiscard]] virtual ConnectionState state() const = 0;
  // Whether a server that stops at once still gives it a moment to close properly.
  [[nodiscard]] virtual bool says_goodbye() const { return false; }

  // Since when the connection is idle, in the loop's milliseconds; nothing while it is not.
  [[nodiscard]] virtual std::optional<std::int64_t> idle_since() const { return {}; }

  // For commands of the application: this object as the protocol of the command, or null.
  virtual HttpSession* http() { return nullptr; }
  virtual WebSocketSession* websocket() { return nullptr; }
};

}  // namespace httpuv::server
