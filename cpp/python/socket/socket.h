// The Python object of a WebSocket: its id and the way to its server. With the GIL held; every
// method may be called from any thread, and does nothing when the socket or its server has gone.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "python/link/link.h"
#include "python/socket/burst.h"
#include "python/socket/topics.h"
#include "server/message/message.h"

namespace httpuv::python {

// A message from Python: str is text, an object with a buffer is binary.
struct Payload {
  bool text = false;
  std::string data;
};
// `memory`: to be used for the copy if it has the right size.
Payload to_payload(pybind11::handle message, std::string&& memory = {});

// Keeps the buffer of a received message for the next one that this thread sends, so that the
// memory returns to the thread that allocated it.
void keep_memory(std::string&& memory);
std::string take_memory();

class Socket : public std::enable_shared_from_this<Socket> {
 public:
  Socket(std::shared_ptr<Link> link, server::ConnectionId id) : link_(std::move(link)), id_(id) {}

  void send(pybind11::handle message, bool compress);
  void ping(pybind11::handle payload);
  void close(std::uint16_t code, const std::string& reason);
  // See server::WsSubscribe.
  Joining subscribe(const std::string& topic, const std::optional<PyPosition>& since, bool history);
  void unsubscribe(const std::string& topic);
  [[nodiscard]] std::vector<std::string> subscriptions() const;
  // Has a function called on a thread that runs callbacks, in its turn among those of the socket.
  void call_soon(pybind11::object function);
  [[nodiscard]] std::size_t buffered() const;  // asks the loop thread, with the GIL released

  // So many of the messages that the listener kept (its _message() returned True) were used now.
  void consumed(std::size_t messages);

  // Bytes of messages that were sent and are not known to have been taken by the kernel.
  [[nodiscard]] std::uint64_t outstanding() const {
    const std::uint64_t taken = taken_;
    return sent_ - std::min<std::uint64_t>(taken, sent_);
  }
  // The listener's _taken() is called when they have been.
  void acknowledge();
  void taken(std::uint64_t total) { taken_ = total; }

 private:
  void overflow();

  std::shared_ptr<Link> link_;
  server::ConnectionId id_;
  Burst burst_;
  std::atomic<bool> overflowed_{false};  // and was closed for it
  std::atomic<std::size_t> dropped_{0};  // messages that the application is to be told of
  std::atomic<std::uint64_t> sent_{0};
  std::atomic<std::uint64_t> taken_{0};
};

}  // namespace httpuv::python
