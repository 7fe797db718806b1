// What crosses between the loop thread and the application: events out, commands in. Plain owned
// data, moved from one thread to the other; nothing here is shared.
#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "files/route_table.h"
#include "http/request.h"
#include "http/response.h"

namespace httpuv::server {

// Names a connection without owning it. A number whose connection has gone names nothing: a
// command that carries it does nothing.
struct ConnectionId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
  bool operator==(const ConnectionId&) const = default;
};

// Names one exchange of one connection.
struct ExchangeId {
  ConnectionId connection;
  std::uint32_t sequence = 0;
  bool operator==(const ExchangeId&) const = default;
};

// A file descriptor with one owner, closed with it.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept;
  ~OwnedFd();
  [[nodiscard]] int get() const { return fd_; }
  int release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_ = -1;
};

// The body of a request: in memory, or past Limits::body_memory_bytes in an unlinked file whose
// offset is at its start.
struct RequestBody {
  std::string bytes;
  OwnedFd file;
  std::uint64_t length = 0;
};

// The body of an answer: in memory, or `length` bytes of a file from its start.
struct FileBody {
  OwnedFd file;
  std::uint64_t length = 0;
};
using ResponseBody = std::variant<std::monostate, std::string, FileBody>;

// --- events: loop thread -> application ---------------------------------------------------------

// A request to answer. `headers_only`: its head has come, its body has not; the application says
// Respond or Continue. Otherwise it is complete; `resumed` says that its head was announced before
// (the application has its environment, so `head` is empty).
struct RequestEvent {
  ExchangeId id;
  http::RequestHead head;
  RequestBody body;
  std::string remote_address;
  int remote_port = 0;
  bool headers_only = false;
  bool resumed = false;
};

// The exchange will never be completed: its client went away, or broke off, before Respond.
struct AbandonedEvent {
  ExchangeId id;
};

using Event = std::variant<RequestEvent, AbandonedEvent>;

// Where a server's events go. Called on the loop thread, once a turn, with all that the turn made;
// must not block. The vector is left empty.
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void deliver(std::vector<Event>& events) = 0;
};

// --- commands: application -> loop thread -------------------------------------------------------

struct Respond {
  ExchangeId id;
  http::ResponseHead head;
  ResponseBody body;
};

// The application lets a request whose head it has seen go on.
struct Continue {
  ExchangeId id;
};

struct SetRoutes {
  std::shared_ptr<const files::RouteTable> routes;
  std::promise<void> done;
};

// Ends the server: no new connection, idle ones close, the others may finish for `grace_ms`.
struct Stop {
  std::int64_t grace_ms = 0;
};

using Command = std::variant<Respond, Continue, SetRoutes, Stop>;

}  // namespace httpuv::server
