// A WebSocket as Python holds it: a name and the way to its server, no more. With the GIL held;
// every method may be called from any thread and, once the socket or its server is gone, does
// nothing.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <string>

#include "server/message.h"

namespace httpuv::python {

class Application;

// A message as Python gives it: str is text, anything with a buffer is binary.
struct Payload {
  bool text = false;
  std::string data;
};
Payload to_payload(pybind11::handle message);

class Socket {
 public:
  Socket(std::shared_ptr<Application> application, server::ConnectionId id)
      : application_(std::move(application)), id_(id) {}

  void send(pybind11::handle message, bool compress);
  void ping(pybind11::handle payload);
  void close(std::uint16_t code, const std::string& reason);
  void subscribe(const std::string& topic, bool wanted);
  [[nodiscard]] std::size_t buffered() const;  // asks the loop thread, with the GIL released

 private:
  std::shared_ptr<Application> application_;
  server::ConnectionId id_;
};

}  // namespace httpuv::python
