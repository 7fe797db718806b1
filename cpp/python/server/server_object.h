// The Python object of a server: converts arguments, raises errors as exceptions, and releases the
// GIL for calls that may wait. With the GIL held; pybind11 keeps it alive.
// More than 25 members and methods, because it has one method for each function that Python calls.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "python/application/application.h"
#include "python/queue/queue.h"
#include "python/runtime/fork_guard.h"
#include "python/socket/burst.h"
#include "server/workers.h"

namespace httpuv::python {

class ServerObject {
 public:
  ServerObject(std::shared_ptr<Queue> queue, Program program, Callbacks callbacks,
               const pybind11::dict& environment, const pybind11::dict& settings,
               bool allow_connect, const pybind11::list& mounts, const pybind11::list& topics,
               bool brokered);
  ~ServerObject();

  // Before the server starts: also listens for its operator, on a port, a descriptor or a Unix
  // socket. Each raises OSError.
  std::tuple<std::string, int> listen_admin_tcp(const std::string& host, int port);
  void listen_admin_fd(int fd);
  void listen_admin_pipe(const std::string& name);
  // Listens, and starts the server.
  std::tuple<std::string, int> listen_tcp(const std::string& host, int port);
  std::tuple<std::string, int> listen_fd(int fd);
  void listen_pipe(const std::string& name, std::optional<unsigned> mask);
  // Listens on the sockets of another server, which takes no connection from then on, unless this
  // fails. Raises OSError; ENOTCONN: that one does not listen any more.
  std::tuple<std::string, int> listen_with(ServerObject& other);
  // Another program from the next request on. `root` is the mount of an application of another
  // interface than Rook, or empty. Mounts below paths stay.
  void set_program(Program program, bool allow_connect, const pybind11::list& root);
  void set_routes(const pybind11::list& routes, std::shared_ptr<files::MimeTable> mime);
  // With an offset it is a broker's that is told; without, the topic's next, which is returned: 0
  // if nothing was sent because the server does not run.
  std::uint64_t publish(std::string topic, pybind11::handle message, bool compress,
                        const pybind11::object& binary, std::string event,
                        const std::optional<std::uint64_t>& offset);
  [[nodiscard]] Application& application() const { return *application_; }
  // Ends the server. begin_stop() only tells it to, and shortens what an earlier call has granted.
  // A Python signal handler may run in stop(); if it raises an exception, the answers under way are
  // cut off, and stop() raises it, perhaps before stopped().
  void begin_stop(double timeout);
  void stop(double timeout);
  [[nodiscard]] bool stopped() const { return !application_->server().answers(); }
  [[nodiscard]] pybind11::dict stats() const;
  // name -> [({label: value}, number)], as the metrics have them.
  [[nodiscard]] pybind11::dict metrics() const;
  [[nodiscard]] bool running() const { return application_->server().running(); }

  // For Python's garbage collector; see set_up_gc().
  int traverse(visitproc visit, void* argument) const;
  void clear() const;

  void forget() { application_->server().forget(); }

 private:
  void start(const std::string& name, const std::string& port, const std::string& address);

  Burst burst_;                                           // of what is published
  std::atomic<std::uint64_t> overflowed_at_{UINT64_MAX};  // Server::drains() then
  const std::shared_ptr<Queue> queue_;
  server::Routing routing_;
  std::string host_;  // what gateways are told
  int port_ = -1;
  std::shared_ptr<Application> application_;
  server::Door door_;  // of the main listeners
  std::optional<ForkGuard> guard_;
};

// Shows the garbage collector the objects of a stopped server, because an application may refer to
// its own server. The package holds a running server, so that is never garbage.
void set_up_gc(PyHeapTypeObject* type);

}  // namespace httpuv::python
