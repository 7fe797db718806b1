// The answers of an application, at once and later; the rest of Application is in application.cpp.
#include <memory>
#include <utility>

#include "python/answer/answering.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/convert/response.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

std::shared_ptr<Reply> Application::find(const server::ExchangeId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(id);
  return found != replies_.end() ? found->second : nullptr;
}

std::shared_ptr<Reply> Application::open_reply(const server::ExchangeId& id) {
  auto reply = std::make_shared<Reply>(shared_from_this(), id);
  const std::lock_guard lock(mutex_);
  replies_.insert_or_assign(id, reply);
  return reply;
}

void Application::forget_reply(const server::ExchangeId& id) {
  std::shared_ptr<Reply> reply;  // released after unlocking
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(id);
  if (found == replies_.end()) return;
  reply = std::move(found->second);
  replies_.erase(found);
}

void Application::answered(const server::ExchangeId& id) {
  forget_reply(id);
  lose_upload(id);
  take_unopened(id);  // a handshake may have been refused
}

// A callback of a Reply belongs to the package: an exception is a mistake of the package, and
// logged.
void Application::tell(const char* where, py::object callback,
                       const std::optional<std::uint64_t>& argument) {
  if (callback.is_none()) return;
  try {
    argument ? call_python(callback, *argument) : call_python(callback);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
    call_python(callbacks_.on_error, where, py::none(), exception_of(error));
  }
}

void Application::on_event(server::StreamTakenEvent&& event, Work&) {
  if (const auto reply = find(event.id)) tell("on_taken", reply->on_taken.get(), event.total);
}

// Calls back and sends the answer. False if the callback has declined to answer; then the envelope
// is unchanged and the client is still there.
bool Application::ask(Work& work, server::EnvelopePtr& envelope, py::handle callback,
                      const char* where, bool may_decline) {
  const server::ExchangeId id = envelope->id;
  work.where = where;
  const Answering answering(*this, id);
  const py::object result = call_python(callback, work.environment);
  // If the client has gone, and the callback has handled that event, the answer ends here.
  if (may_decline && result.is_none()) return answering.gone();
  if (!from_plain(result, *envelope)) {
    const auto reply = open_reply(id);  // it may begin, and even end, in there
    const py::object normal = call_python(callbacks_.convert, result, work.environment, reply);
    if (normal.is_none()) {
      if (answering.gone()) abandon(id);
      return true;
    }
    forget_reply(id);
    from_normal(normal, *envelope);
  }
  wait_for_room();
  send(server::Respond{std::move(envelope)});
  return true;
}

// The client of an answer that is still being made has gone.
void Application::abandon(const server::ExchangeId& id) {
  if (const auto reply = find(id)) {
    forget_reply(id);
    reply->abandon();
    tell("on_abandoned", reply->on_abandoned.get());
  }
}

}  // namespace httpuv::python
