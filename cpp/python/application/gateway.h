// A gateway calls an application of one interface (Rook, WSGI, ASGI): it builds the arguments
// directly from the parsed head, calls the application, and takes its answer.
//
// With the GIL held; several threads may be in one at once. Owned by its Application, which passes
// it the events of its mount. Exceptions of the application are thrown on; `work` has the request
// that is then answered and logged.
#pragma once

#include <string>

#include "python/application/application.h"
#include "server/message/message.h"

namespace httpuv::python {

class Gateway {
 public:
  virtual ~Gateway() = default;

  // Answers a request, now or later; it is whole, or `headers_only` and its body follows in pieces.
  virtual void request(Application& application, Application::Work& work,
                       server::EnvelopePtr&& envelope) = 0;
  // A WebSocket; `waiting` for Reply::accept() or an answer.
  virtual void websocket(Application& application, Application::Work& work,
                         server::WsOpenEvent&& event) = 0;
  // The server has an address; port -1: `host` is the path of a Unix socket.
  virtual void listening(const std::string& host, int port) = 0;
};

}  // namespace httpuv::python
