#include "python/application.h"

#include <algorithm>
#include <utility>

#include "http/response.h"
#include "python/response.h"

namespace py = pybind11;

namespace httpuv::python {

Application::Application(Callbacks callbacks, const py::dict& constants)
    : callbacks_(std::move(callbacks)), environment_(constants) {}

void Application::ring() {
  if (server_ != nullptr) server_->ring();
}

void Application::send(server::Command&& command) {
  // False: the server has stopped and its connections are gone.
  if (server_ != nullptr) server_->post(std::move(command), false);
}

void Application::handle(server::Event&& event, const std::shared_ptr<Application>& self,
                         Queue& queue) {
  queue.answered(self);
  if (auto* request = std::get_if<server::RequestEvent>(&event)) {
    on_request(std::move(*request));
  } else {
    on_abandoned(std::get<server::AbandonedEvent>(event));
  }
}

py::dict Application::environment_of(server::RequestEvent& event) {
  if (!event.resumed) return environment_.build(event);
  const auto found = std::find_if(announced_.begin(), announced_.end(),
                                  [&](const Announced& each) { return each.id == event.id; });
  if (found == announced_.end()) return environment_.build(event);
  py::dict environment = std::move(found->environment);
  announced_.erase(found);
  Environment::set_body(environment, std::move(event.body));
  return environment;
}

void Application::on_request(server::RequestEvent&& event) {
  // A stopped server has nobody to answer.
  if (server_ == nullptr || !server_->running()) return;
  py::dict environment = environment_of(event);
  if (!event.headers_only) {
    ask(event.id, callbacks_.call, "call", environment, false);
  } else if (!ask(event.id, callbacks_.on_headers, "onHeaders", environment, true)) {
    announced_.push_back({event.id, std::move(environment)});
    send(server::Continue{event.id});
  }
}

void Application::on_abandoned(const server::AbandonedEvent& event) {
  std::erase_if(announced_, [&](const Announced& each) { return each.id == event.id; });
}

// Calls back and sends the answer. False when it may decline to answer and did.
bool Application::ask(const server::ExchangeId& id, py::handle callback, const char* where,
                      const py::dict& environment, bool may_decline) {
  server::Respond command;
  command.id = id;
  try {
    const py::object result =
        py::reinterpret_steal<py::object>(PyObject_CallOneArg(callback.ptr(), environment.ptr()));
    if (!result) throw py::error_already_set();
    if (may_decline && result.is_none()) return false;
    Response response = to_response(result, callbacks_.convert);
    command.head = std::move(response.head);
    command.body = std::move(response.body);
    send(std::move(command));
  } catch (py::error_already_set& error) {
    http::PlainResponse plain = http::plain_response(500);
    command.head = std::move(plain.head);
    command.body = std::move(plain.body);
    send(std::move(command));
    if (!error.matches(PyExc_Exception)) throw;
    callbacks_.on_error(where, environment, error.value());
  }
  return true;
}

}  // namespace httpuv::python
