// The WebSockets of an application; the rest of Application is in application.cpp.
#include <algorithm>
#include <utility>

#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/application/gateway.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"
#include "python/socket/received.h"
#include "python/socket/socket.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

std::uint64_t key_of(const server::ConnectionId& id) {
  return static_cast<std::uint64_t>(id.generation) << 32 | id.slot;
}

}  // namespace

std::shared_ptr<Application::Listener> Application::find(const server::ConnectionId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(key_of(id));
  return found != listeners_.end() ? found->second : nullptr;
}

template <class... Arguments>
void Application::notify(const server::ConnectionId& id, Work& work, const char* method,
                         Arguments&&... arguments) {
  const std::shared_ptr<Listener> found = find(id);
  if (found == nullptr) return;
  work.where = method;
  call_python(found->listener.attr(method), std::forward<Arguments>(arguments)...);
}

void Application::on_event(server::WsOpenEvent&& event, Work& work) {
  const std::shared_ptr<const Program> program = program_;
  if (const std::uint16_t mount = event.request->mount; mount != 0) {
    return program->gateways[mount - std::size_t{1}]->websocket(*this, work, std::move(event));
  }
  work.where = "onWSOpen";
  if (program->on_ws_open.is_none()) {  // the application was replaced a moment ago
    if (event.waiting) return answer_plain(std::move(event.request), 503);
    send(server::WsClose{event.request->id.connection, 1012, "the application was replaced"});
    return;
  }
  work.environment = environment_of(*event.request);
  open_rook_socket(event, program->on_ws_open, work);
}

void Application::open_rook_socket(const server::WsOpenEvent& event, py::handle on_open,
                                   Work& work) {
  work.where = "onWSOpen";
  const server::ExchangeId id = event.request->id;
  const auto socket = std::make_shared<Socket>(shared_from_this(), id.connection);
  py::object reply = py::none();
  if (event.waiting) {
    work.subject = id;  // it has no answer yet
    reply = py::cast(open_reply(id));
  }
  open_socket(id, call_python(on_open, socket, work.environment, str_of(event.protocol), reply),
              socket);
}

void Application::open_socket(const server::ExchangeId& id, const py::object& listener,
                              const std::shared_ptr<Socket>& socket) {
  const auto entry = std::make_shared<Listener>(
      Listener{listener, listener.attr("_message"), socket, id.sequence});
  {
    const std::lock_guard lock(mutex_);
    listeners_.insert_or_assign(key_of(id.connection), entry);
  }
  // Registered first: the callback may run other callbacks for events of this socket.
  call_python(listener.attr("_open"));
}

// The listener of a WebSocket that an exchange asked for and whose handshake was not accepted.
std::shared_ptr<Application::Listener> Application::take_unopened(const server::ExchangeId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(key_of(id.connection));
  if (found == listeners_.end() || found->second->sequence != id.sequence) return nullptr;
  std::shared_ptr<Listener> listener = std::move(found->second);
  listeners_.erase(found);
  return listener;
}

// The client has gone before the handshake was answered; the application may have accepted it.
void Application::lose_socket(const server::ExchangeId& id, Work& work) {
  const std::shared_ptr<Listener> listener = take_unopened(id);
  if (listener == nullptr) return;
  work.where = "onClose";
  call_python(listener->listener.attr("_closed"), 1006, "", false);
}

void Application::on_event(server::WsMessageEvent&& event, Work& work) {
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  const std::size_t cost = server::cost_of(event);
  work.where = "onMessage";
  const py::object data = received(std::move(event.data), event.text);
  PyObject* const arguments[] = {event.text ? Py_False : Py_True, data.ptr()};
  const auto result = py::reinterpret_steal<py::object>(
      guarded([&] { return PyObject_Vectorcall(found->message.ptr(), arguments, 2, nullptr); }));
  if (!result) throw py::error_already_set();
  const bool kept = result.ptr() == Py_True;
  const std::lock_guard lock(mutex_);
  if (kept && found->used_early == 0) {
    ++found->kept;
    found->kept_bytes += cost;
  } else {
    if (kept) --found->used_early;
    count_consumed(event.id, *found, cost);
  }
}

// By mutex_.
void Application::count_consumed(const server::ConnectionId& id, Listener& listener,
                                 std::size_t bytes) {
  listener.consumed += bytes;
  if (listener.consumed >= consumed_step_) {
    send(server::WsConsumed{id, std::exchange(listener.consumed, 0)});
  }
}

void Application::consumed(const server::ConnectionId& id, std::size_t messages) {
  const std::shared_ptr<Listener> found = find(id);
  if (found == nullptr || messages == 0) return;
  const std::lock_guard lock(mutex_);
  // One of them may be the message whose callback has not yet returned on another thread.
  const std::size_t used = std::min(messages, found->kept);
  found->used_early += messages - used;
  if (used == 0) return;
  // The size of each message is not stored; after the last one the sum is exact.
  const std::size_t bytes =
      used == found->kept ? found->kept_bytes : found->kept_bytes / found->kept * used;
  found->kept -= used;
  found->kept_bytes -= bytes;
  count_consumed(id, *found, bytes);
  if (found->kept == 0 && found->last) send(server::WsConclude{id});
}

void Application::on_event(server::WsPongEvent&& event, Work& work) {
  notify(event.id, work, "_pong", py::bytes(event.payload));
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  const std::lock_guard lock(mutex_);
  count_consumed(event.id, *found, event.payload.size() + server::kWsMessageCost);
}

void Application::on_event(server::WsTakenEvent&& event, Work& work) {
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  found->socket->taken(event.total);
  notify(event.id, work, "_taken");
}

void Application::on_event(server::WsDrainEvent&& event, Work& work) {
  notify(event.id, work, "_drained");
}

void Application::on_event(server::WsDroppedEvent&& event, Work& work) {
  for (; event.count > 0; --event.count) notify(event.id, work, "_dropped");
}

void Application::dropped(const server::ConnectionId& id, std::size_t count) {
  const std::shared_ptr<Listener> found = find(id);
  for (; found != nullptr && count > 0; --count) {
    call_python(found->listener.attr("_dropped"));
  }
}

void Application::on_event(server::WsResetEvent&& event, Work& work) {
  notify(event.id, work, "_reset", str_of(event.topic), event.position.epoch,
         event.position.offset);
}

void Application::on_event(server::WsClosingEvent&& event, Work& work) {
  notify(event.id, work, "_closing", event.code, str_of(event.reason));
}

void Application::on_event(server::WsLastEvent&& event, Work&) {
  const std::shared_ptr<Listener> found = find(event.id);
  const std::lock_guard lock(mutex_);
  if (found != nullptr && found->kept > 0) {
    found->last = true;
  } else {
    send(server::WsConclude{event.id});
  }
}

void Application::on_event(server::WsCloseEvent&& event, Work& work) {
  std::shared_ptr<Listener> listener;
  {
    const std::lock_guard lock(mutex_);
    const auto found = listeners_.find(key_of(event.id));
    if (found == listeners_.end()) return;
    listener = std::move(found->second);
    listeners_.erase(found);
  }
  work.where = "onClose";
  call_python(listener->listener.attr("_closed"), event.code, str_of(event.reason), event.clean);
}

}  // namespace httpuv::python
