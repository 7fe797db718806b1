// The handle, and how the application's part of it is told what has come.
#include "python/upload.h"

#include <utility>

#include "http/response.h"
#include "python/application.h"
#include "python/gil.h"

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
    Receiver receiver{environment, call_python(callbacks_.open_upload, environment, handle)};
    const std::lock_guard lock(mutex_);
    uploads_.emplace(id, std::move(receiver));
  } catch (py::error_already_set& error) {
    return fail_upload(id, environment, error);
  }
  if (!callbacks_.call_first) return;
  call(id, environment);
  if (find(id) == nullptr) lose_upload(id);  // it is answered: nobody reads on
}

// What is told of the body; nothing if there is none any more.
Application::Receiver Application::find_upload(const server::ExchangeId& id, bool take) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return {};
  Receiver receiver = found->second;
  if (take) uploads_.erase(found);
  return receiver;
}

void Application::on_event(server::BodyEvent&& event) {
  const Receiver upload = find_upload(event.id, false);
  if (!upload.receiver) return;  // it was answered meanwhile
  try {
    if (!event.bytes.empty()) call_python(upload.receiver.attr("data"), py::bytes(event.bytes));
    if (!event.last || !find_upload(event.id, true).receiver) return;
    call_python(upload.receiver.attr("end"));
  } catch (py::error_already_set& error) {
    return fail_upload(event.id, upload.environment, error);
  }
  if (!callbacks_.call_first) call(event.id, upload.environment);
}

void Application::lose_upload(const server::ExchangeId& id) {
  if (callbacks_.open_upload.is_none()) return;
  const Receiver upload = find_upload(id, true);
  if (upload.receiver) tell("a body", upload.receiver.attr("lost"));
}

void Application::call(const server::ExchangeId& id, const py::dict& environment) {
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id;
  ask(std::move(envelope), callbacks_.call, "call", environment, false);
}

// What has come was no good to the application: it wants no more of it.
void Application::fail_upload(const server::ExchangeId& id, const py::dict& environment,
                              py::error_already_set& error) {
  find_upload(id, true);
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id;
  http::PlainResponse plain = http::plain_response(500);
  envelope->head = std::move(plain.head);
  envelope->answer = std::move(plain.body);
  send(server::Respond{std::move(envelope)});
  if (!error.matches(PyExc_Exception)) throw;
  call_python(callbacks_.on_error, "onBodyData", environment, exception_of(error));
}

}  // namespace httpuv::python
