// The bodies that an application gets while they come; the rest of Application is in
// application.cpp.
#include <utility>

#include "python/answer/upload.h"
#include "python/application/application.h"
#include "python/runtime/callback_context.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

// The head is here and onHeaders, if there is one, has let it pass.
void Application::begin_upload(const server::ExchangeId& id, Work& work, const Program& program) {
  work.where = "onBodyData";
  const auto handle = std::make_shared<Upload>(shared_from_this(), id);
  Receiver receiver{py::reinterpret_borrow<py::dict>(work.environment),
                    call_python(program.open_upload, work.environment, handle),
                    program.call_first ? py::object() : program.call};
  {
    const std::lock_guard lock(mutex_);
    uploads_.emplace(id, std::move(receiver));
  }
  if (!program.call_first) return;
  call(id, work, program.call);
  if (find(id) == nullptr) lose_upload(id);  // it is answered: the rest is not read
}

py::object Application::open_upload(const server::ExchangeId& id, const py::dict& environment,
                                    const py::object& receiver) {
  const auto handle = std::make_shared<Upload>(shared_from_this(), id);
  const std::lock_guard lock(mutex_);
  uploads_.emplace(id, Receiver{environment, receiver, {}});
  return py::cast(handle);
}

// The notifications about the body; none if the upload has ended.
Application::Receiver Application::find_upload(const server::ExchangeId& id, bool take) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return {};
  Receiver receiver = found->second;
  if (take) uploads_.erase(found);
  return receiver;
}

void Application::on_event(server::BodyEvent&& event, Work& work) {
  const Receiver upload = find_upload(event.id, false);
  if (!upload.receiver) return;  // it was answered meanwhile
  work.where = "onBodyData";
  work.environment = upload.environment;
  if (!event.bytes.empty()) call_python(upload.receiver.attr("data"), py::bytes(event.bytes));
  if (!event.last || !find_upload(event.id, true).receiver) return;
  call_python(upload.receiver.attr("end"));
  if (!upload.call) return;
  const CallbackContext context(context_);  // `call` gets one of its own
  call(event.id, work, upload.call);
}

void Application::lose_upload(const server::ExchangeId& id) {
  if (!has_uploads_) return;
  const Receiver upload = find_upload(id, true);
  if (upload.receiver) tell("a body", upload.receiver.attr("lost"));
}

void Application::call(const server::ExchangeId& id, Work& work, py::handle callback) {
  auto envelope = std::make_unique<server::Envelope>();
  envelope->id = id;
  ask(work, envelope, callback, "call", false);
}

}  // namespace httpuv::python
