// The user's application as the extension knows it: Python callables, what they are called with,
// and the way back to the server. Turns events into calls and results into commands.
//
// With the GIL held, but for Sink. Shared by the Python object of the server, its sink and the
// batches in the queue. An exception of a callback goes to on_error and is answered with a plain
// 500 that tells nothing; one that is not an Exception is thrown on.
#pragma once

#include <pybind11/pybind11.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "python/environment.h"
#include "python/queue.h"
#include "server/message.h"
#include "server/server.h"

namespace httpuv::python {

struct Callbacks {
  pybind11::object call;        // (environment) -> result; None: 404
  pybind11::object on_headers;  // (environment) -> None or result; None: not announced
  pybind11::object on_error;    // (where, environment or None, exception) -> None
  pybind11::object convert;     // (result) -> (status, headers, body)
};

class Application {
 public:
  Application(Callbacks callbacks, const pybind11::dict& constants);

  // The server that answers go to; null once it is gone.
  void set_server(server::Server* server) { server_ = server; }
  Environment& environment() { return environment_; }
  void ring();

  void handle(server::Event&& event, const std::shared_ptr<Application>& self, Queue& queue);

 private:
  struct Announced {
    server::ExchangeId id;
    pybind11::dict environment;
  };

  void on_request(server::RequestEvent&& event);
  void on_abandoned(const server::AbandonedEvent& event);
  pybind11::dict environment_of(server::RequestEvent& event);
  bool ask(const server::ExchangeId& id, pybind11::handle callback, const char* where,
           const pybind11::dict& environment, bool may_decline);
  void send(server::Command&& command);

  Callbacks callbacks_;
  Environment environment_;
  server::Server* server_ = nullptr;
  std::vector<Announced> announced_;  // heads that on_headers saw, until their bodies come
};

// The loop thread's end of it: batches go to the queue.
class Sink final : public server::EventSink {
 public:
  Sink(std::shared_ptr<Queue> queue, std::shared_ptr<Application> application)
      : queue_(std::move(queue)), application_(std::move(application)) {}
  void deliver(std::vector<server::Event>& events) override { queue_->push(application_, events); }

 private:
  std::shared_ptr<Queue> queue_;
  std::shared_ptr<Application> application_;
};

}  // namespace httpuv::python
