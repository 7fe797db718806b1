#include "python/application.h"

#include <algorithm>
#include <utility>

#include "http/response.h"
#include "python/answering.h"
#include "python/gil.h"
#include "python/reply.h"
#include "python/response.h"
#include "python/socket.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// The loop is told of consumed messages when they make this part of what it allows to be unread:
// rarely, and long before it stops reading, or in time to have it go on (at a half).
constexpr std::size_t kConsumedPart = 8;

// Memory of messages that is kept between two of them.
constexpr std::size_t kMaxMemory = std::size_t{256} * 1024;

std::uint64_t key_of(const server::ConnectionId& id) {
  return static_cast<std::uint64_t>(id.generation) << 32 | id.slot;
}

py::object text(const std::string& utf8) {
  PyObject* const object =
      PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), nullptr);
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

// Whose callback this thread is in: the queue rings its server afterwards.
thread_local const Application* t_handling = nullptr;

thread_local std::string t_memory;  // of the last message

}  // namespace

py::object exception_of(const py::error_already_set& error) {
  const py::object& exception = error.value();
  if (error.trace()) PyException_SetTraceback(exception.ptr(), error.trace().ptr());
  return exception;
}

// The loop thread's end of it: batches go to the queue.
class Application::Sink final : public server::EventSink {
 public:
  explicit Sink(Application& application) : application_(application) {}
  void deliver(std::vector<server::Event>& events) override { application_.deliver(events); }
  void log(server::AccessBatch&& batch) override { application_.log(std::move(batch)); }
  [[nodiscard]] bool idle() const override { return application_.idle(); }

 private:
  Application& application_;
};

Application::Application(Callbacks callbacks, const py::dict& constants, server::Settings settings,
                         const std::shared_ptr<Queue>& queue)
    : callbacks_(std::move(callbacks)),
      environment_(constants),
      consumed_step_(settings.limits.ws_max_unread / kConsumedPart),
      queue_(queue),
      server_(std::move(settings), std::make_unique<Sink>(*this)) {}

void Application::deliver(std::vector<server::Event>& events) {
  unhandled_.fetch_add(events.size(), std::memory_order_relaxed);
  if (const auto queue = queue_.lock()) queue->push(shared_from_this(), events);
}

void Application::log(server::AccessBatch&& batch) {
  const auto queue = queue_.lock();
  if (queue == nullptr) return;
  log_events_.emplace_back(server::LogEvent{std::move(batch)});
  queue->push(shared_from_this(), log_events_);
}

void Application::ring(int handled) {
  // In this order: what the loop does when the application is idle, it does when it is rung for.
  unhandled_.fetch_sub(static_cast<std::size_t>(handled), std::memory_order_relaxed);
  server_.ring();
}

bool Application::send(server::Command&& command) {
  // From a callback the queue rings when the batch is through; from elsewhere nobody else would.
  return server_.post(std::move(command), t_handling != this);
}

void Application::post(const server::ConnectionId& id, py::object function) {
  if (const auto queue = queue_.lock()) queue->post(shared_from_this(), id, std::move(function));
}

bool Application::leave(server::Command&& command) {
  return server_.post(std::move(command), false);
}

void Application::gather(const py::object& function) {
  struct Finally {
    Application& application;
    const Application* outer;
    ~Finally() {
      t_handling = outer;
      application.ring(1);
    }
  } const finally{*this, std::exchange(t_handling, this)};
  unhandled_.fetch_add(1, std::memory_order_relaxed);
  ring();  // from now on the loop looks by itself
  function();
}

void Application::handle(server::Event&& event) {
  // Nobody rings behind what is not awaited: what its handlers send rings by itself.
  const bool rung = server::is_awaited(event);
  struct Restore {
    const Application* outer;
    ~Restore() { t_handling = outer; }
  } const restore{std::exchange(t_handling, rung ? this : nullptr)};
  std::visit([this](auto&& each) { on_event(std::move(each)); }, std::move(event));
}

// --- HTTP ---------------------------------------------------------------------------------------

py::dict Application::environment_of(server::Envelope& envelope) {
  if (!envelope.resumed) return environment_.build(envelope);
  const py::object announced = take_announced(envelope.id);
  if (!announced) return environment_.build(envelope);
  auto environment = py::reinterpret_borrow<py::dict>(announced);
  Environment::set_body(environment, std::move(envelope.body));
  return environment;
}

// The environment that on_headers saw; null if it did not.
py::object Application::take_announced(const server::ExchangeId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(announced_.begin(), announced_.end(),
                                  [&](const Announced& each) { return each.id == id; });
  if (found == announced_.end()) return {};
  py::object environment = std::move(found->environment);
  if (&*found != &announced_.back()) *found = std::move(announced_.back());
  announced_.pop_back();
  return environment;
}

void Application::on_event(server::RequestEvent&& event) {
  // A stopped server has nobody to answer.
  if (!server_.answers()) return;
  server::EnvelopePtr envelope = std::move(event.envelope);
  const server::ExchangeId id = envelope->id;
  py::dict environment = environment_of(*envelope);
  if (!envelope->headers_only) {
    // One that was not announced fell through a static path: who guards the application is asked.
    if (!envelope->resumed && !callbacks_.on_headers.is_none() &&
        ask(std::move(envelope), callbacks_.on_headers, "onHeaders", environment, true)) {
      return;
    }
    ask(std::move(envelope), callbacks_.call, "call", environment, false);
    return;
  }
  const bool comes_in_pieces = envelope->request.has_body() && !callbacks_.open_upload.is_none();
  if (!callbacks_.on_headers.is_none() &&
      ask(std::move(envelope), callbacks_.on_headers, "onHeaders", environment, true)) {
    return;
  }
  if (comes_in_pieces) return begin_upload(id, environment);
  {
    const std::lock_guard lock(mutex_);
    announced_.push_back({id, std::move(environment)});
  }
  send(server::Continue{id});
}

void Application::on_event(server::AbandonedEvent&& event) {
  take_announced(event.id);
  lose_upload(event.id);
  if (const auto reply = find(event.id)) {
    forget_reply(event.id);
    reply->abandon();
    tell("on_abandoned", reply->on_abandoned.get());
  }
}

// --- answers that take their time ---------------------------------------------------------------

std::shared_ptr<Reply> Application::find(const server::ExchangeId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(id);
  return found != replies_.end() ? found->second : nullptr;
}

void Application::forget_reply(const server::ExchangeId& id) {
  std::shared_ptr<Reply> reply;  // let go of behind the lock
  const std::lock_guard lock(mutex_);
  const auto found = replies_.find(id);
  if (found == replies_.end()) return;
  reply = std::move(found->second);
  replies_.erase(found);
}

void Application::answered(const server::ExchangeId& id) {
  forget_reply(id);
  lose_upload(id);
}

// A callback of a Reply is the package's own: what it raises is a mistake of ours, and logged.
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

void Application::on_event(server::StreamTakenEvent&& event) {
  if (const auto reply = find(event.id)) tell("on_taken", reply->on_taken.get(), event.total);
}

// Calls back and sends the answer. False when it may decline to answer and did.
bool Application::ask(server::EnvelopePtr&& envelope, py::handle callback, const char* where,
                      const py::dict& environment, bool may_decline) {
  const server::ExchangeId id = envelope->id;
  try {
    const Answering answering(*this, id);
    const py::object result = call_python(callback, environment);
    if (may_decline && result.is_none()) return false;
    if (!from_plain(result, *envelope)) {
      const auto reply = std::make_shared<Reply>(shared_from_this(), id);
      {
        const std::lock_guard lock(mutex_);
        replies_.emplace(id, reply);  // it may begin, and even end, in there
      }
      const py::object normal = call_python(callbacks_.convert, result, environment, reply);
      if (normal.is_none()) return true;
      forget_reply(id);
      from_normal(normal, *envelope);
    }
    send(server::Respond{std::move(envelope)});
  } catch (py::error_already_set& error) {
    forget_reply(id);
    http::PlainResponse plain = http::plain_response(500);
    envelope->head = std::move(plain.head);
    envelope->answer = std::move(plain.body);
    send(server::Respond{std::move(envelope)});
    if (!error.matches(PyExc_Exception)) throw;
    call_python(callbacks_.on_error, where, environment, exception_of(error));
  }
  return true;
}

// --- WebSocket ----------------------------------------------------------------------------------

std::shared_ptr<Application::Listener> Application::find(const server::ConnectionId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(key_of(id));
  return found != listeners_.end() ? found->second : nullptr;
}

// A callback failed: its socket is of no use any more (RFC 6455 section 7.4.1, 1011).
void Application::fail(const server::ConnectionId& id, const char* where,
                       py::error_already_set& error) {
  send(server::WsClose{id, 1011, "internal error"});
  if (!error.matches(PyExc_Exception)) throw;
  call_python(callbacks_.on_error, where, py::none(), exception_of(error));
}

template <class... Arguments>
void Application::notify(const server::ConnectionId& id, const char* method,
                         Arguments&&... arguments) {
  const std::shared_ptr<Listener> found = find(id);
  if (found == nullptr) return;
  try {
    call_python(found->listener.attr(method), std::forward<Arguments>(arguments)...);
  } catch (py::error_already_set& error) {
    fail(id, method, error);
  }
}

void Application::on_event(server::WsOpenEvent&& event) {
  const server::ConnectionId id = event.request->id.connection;
  try {
    const py::dict environment = environment_of(*event.request);
    const auto socket = std::make_shared<Socket>(shared_from_this(), id);
    const py::object listener =
        call_python(callbacks_.on_ws_open, socket, environment, text(event.protocol));
    if (listener.is_none()) return;  // it has failed and was closed
    const auto entry =
        std::make_shared<Listener>(Listener{listener, listener.attr("_message"), socket});
    const std::lock_guard lock(mutex_);
    listeners_.emplace(key_of(id), entry);
  } catch (py::error_already_set& error) {
    fail(id, "onWSOpen", error);
  }
}

std::string Application::take_memory() {
  return std::exchange(t_memory, {});
}

void Application::on_event(server::WsMessageEvent&& event) {
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  const std::size_t cost = event.data.size() + server::kWsMessageCost;
  bool kept = false;
  try {
    const py::object data = event.text ? text(event.data) : py::bytes(event.data);
    if (event.data.capacity() <= kMaxMemory) t_memory = std::move(event.data);
    PyObject* const arguments[] = {event.text ? Py_False : Py_True, data.ptr()};
    const auto result = py::reinterpret_steal<py::object>(
        guarded([&] { return PyObject_Vectorcall(found->message.ptr(), arguments, 2, nullptr); }));
    if (!result) throw py::error_already_set();
    kept = result.ptr() == Py_True;
  } catch (py::error_already_set& error) {
    fail(event.id, "onMessage", error);
  }
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
  // Which message counted for how much is not remembered; with the last one all is even.
  const std::size_t bytes =
      used == found->kept ? found->kept_bytes : found->kept_bytes / found->kept * used;
  found->kept -= used;
  found->kept_bytes -= bytes;
  count_consumed(id, *found, bytes);
  if (found->kept == 0 && found->last) send(server::WsConclude{id});
}

void Application::on_event(server::WsPongEvent&& event) {
  notify(event.id, "_pong", py::bytes(event.payload));
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  const std::lock_guard lock(mutex_);
  count_consumed(event.id, *found, event.payload.size() + server::kWsMessageCost);
}
void Application::on_event(server::WsTakenEvent&& event) {
  const std::shared_ptr<Listener> found = find(event.id);
  if (found == nullptr) return;
  found->socket->taken(event.total);
  notify(event.id, "_taken");
}
void Application::on_event(server::WsDrainEvent&& event) {
  notify(event.id, "_drained");
}
void Application::on_event(server::WsDroppedEvent&& event) {
  notify(event.id, "_dropped");
}

void Application::on_event(server::WsLastEvent&& event) {
  const std::shared_ptr<Listener> found = find(event.id);
  const std::lock_guard lock(mutex_);
  if (found != nullptr && found->kept > 0) {
    found->last = true;
  } else {
    send(server::WsConclude{event.id});
  }
}

void Application::on_event(server::WsCloseEvent&& event) {
  notify(event.id, "_closed", event.code, text(event.reason), event.clean);
  std::shared_ptr<Listener> listener;  // let go of behind the lock
  const std::lock_guard lock(mutex_);
  const auto found = listeners_.find(key_of(event.id));
  if (found == listeners_.end()) return;
  listener = std::move(found->second);
  listeners_.erase(found);
}

}  // namespace httpuv::python
