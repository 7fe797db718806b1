// One HTTP exchange of an ASGI application: receive() and send() of the usual request (a complete
// body, an answer in two messages) in C++. The derived Python class (httpuv.gateways.asgi.exchange)
// handles the rest.
//
// With the GIL held, on the thread of the asyncio loop that runs the application.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

#include "server/message/message.h"

namespace httpuv::python {

class Application;

// The state that C++ and the Python class share.
struct Exchange {
  enum class State : std::uint8_t {
    kNew,        // no answer has begun
    kHead,       // http.response.start was sent by the application; nothing has left
    kStreaming,  // the head has left
    kDone,       // the answer is complete
  };

  std::shared_ptr<Application> application;
  server::ExchangeId id;
  server::EnvelopePtr envelope;  // until its head or answer is sent
  pybind11::object scope;
  pybind11::object body;    // of the request, where it is here as a whole; null once received
  pybind11::object upload;  // an Upload where it comes in pieces
  State state = State::kNew;
  bool registered = false;  // events are told: see Application::open_reply()
  bool slow = false;        // the Python class has had to do with it
};

Exchange& exchange_of(pybind11::handle object);

// An object of the Python class, and its methods, bound.
struct BoundExchange {
  pybind11::object object;
  pybind11::object receive;
  pybind11::object send;
};

// Makes them. The one of the request before serves the next one, if that was over in C++ and
// nothing refers to it.
class Exchanges {
 public:
  explicit Exchanges(pybind11::object cls) : class_(std::move(cls)) {}
  BoundExchange take(std::shared_ptr<Application> application, server::EnvelopePtr&& envelope);
  // One whose application has returned.
  void give_back(BoundExchange&& done);

 private:
  const pybind11::object class_;
  BoundExchange spare_;
};

void register_exchange(pybind11::module_& module);

}  // namespace httpuv::python
