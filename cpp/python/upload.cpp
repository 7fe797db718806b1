// The handle, and how the application's part of it is told what has come.
#include "python/upload.h"

#include <utility>

#include "http/response.h"
#include "python/application.h"

namespace py = pybind11;

namespace httpuv::python {

void Upload::resume() {
  application_->send(server::Continue{id_});
}

void Upload::consumed(std::size_t bytes) {
  application_->send(server::BodyConsumed{id_, bytes});
}

// The head is here and onHeaders, if there is one, has let it pass.
void Application::begin_upload(const server::ExchangeId& id, const py::dict& environment) {
  try {
    const auto handle = std::make_shared<Upload>(shared_from_this(), id);
    uploads_[id] = {environment, callbacks_.open_upload(environment, handle)};
  } catch (py::error_already_set& error) {
    return fail_upload(id, environment, error);
  }
  if (!callbacks_.call_first) return;
  call(id, environment);
  if (find(id) == nullptr) lose_upload(id);  // it is answered: nobody reads on
}

void Application::on_event(server::BodyEvent&& event) {
  const auto found = uploads_.find(event.id);
  if (found == uploads_.end()) return;                 // it was answered meanwhile
  const auto [environment, receiver] = found->second;  // a callback may make the entry go away
  try {
    if (!event.bytes.empty()) receiver.attr("data")(py::bytes(event.bytes));
    if (!event.last || uploads_.erase(event.id) == 0) return;
    receiver.attr("end")();
  } catch (py::error_already_set& error) {
    return fail_upload(event.id, environment, error);
  }
  if (!callbacks_.call_first) call(event.id, environment);
}

void Application::lose_upload(const server::ExchangeId& id) {
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return;
  const py::object receiver = std::move(found->second.receiver);
  uploads_.erase(found);
  tell("a body", receiver.attr("lost"));
}

void Application::call(const server::ExchangeId& id, const py::dict& environment) {
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id;
  ask(std::move(envelope), callbacks_.call, "call", environment, false);
}

// What has come was no good to the application: it wants no more of it.
void Application::fail_upload(const server::ExchangeId& id, const py::dict& environment,
                              py::error_already_set& error) {
  uploads_.erase(id);
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id;
  http::PlainResponse plain = http::plain_response(500);
  envelope->head = std::move(plain.head);
  envelope->answer = std::move(plain.body);
  send(server::Respond{std::move(envelope)});
  if (!error.matches(PyExc_Exception)) throw;
  callbacks_.on_error("onBodyData", environment, exception_of(error));
}

}  // namespace httpuv::python
