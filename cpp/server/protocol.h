// What is spoken on a connection. Its Connection hands it what the transport and the clock report,
// and replaces it when another protocol takes over; it does not know which one it has.
//
// Loop thread only. Owned by the Connection; one that was replaced stays until the turn ends, since
// it may be what asked for that. Fails by closing the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/observe/metrics.h"

namespace httpuv::server {

class HttpSession;
class WebSocketSession;

class Protocol {
 public:
  virtual ~Protocol() = default;

  // The connection is its own from now on.
  virtual void start() = 0;
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_eof() = 0;
  virtual void on_drained() = 0;
  virtual void on_deadline() = 0;
  // The connection ends: nothing more is said, and the application is told what it has to know.
  virtual void on_gone() = 0;
  // The server is stopping: ends the connection as soon as what is under way is done.
  virtual void drain() = 0;
  // What the connection does now, for the metrics.
  [[nodiscard]] virtual ConnectionState state() const = 0;
  // Whether a server that stops at once still gives it a moment, to say so.
  [[nodiscard]] virtual bool says_goodbye() const { return false; }

  // Since when the connection has been waiting for a request, in the loop's milliseconds; nothing
  // while there is something to do for it.
  [[nodiscard]] virtual std::optional<std::int64_t> idle_since() const { return {}; }

  // For commands of the application, which are of one protocol: what takes those, or null.
  virtual HttpSession* http() { return nullptr; }
  virtual WebSocketSession* websocket() { return nullptr; }
};

}  // namespace httpuv::server
