#include "python/application/application.h"

#include <algorithm>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "http/message/response.h"
#include "python/answer/answering.h"
#include "python/application/gateway.h"
#include "python/runtime/callback_context.h"
#include "python/runtime/callback_time.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Consumed messages are reported to the loop when they are this part of the allowed unread bytes:
// that is rare, and early enough to keep the loop reading (it continues at a half).
constexpr std::size_t kConsumedPart = 8;

// Memory in reserve for a refusal when memory has run out.
constexpr std::size_t kReserve = std::size_t{16} * 1024;

// The exchange or the connection that an event is about.
template <class E>
auto subject_of(const E& event) {
  if constexpr (std::is_same_v<E, server::RequestEvent>) {
    return event.envelope->id;
  } else if constexpr (std::is_same_v<E, server::WsOpenEvent>) {
    return event.request->id.connection;
  } else {
    return event.id;
  }
}

}  // namespace

py::object exception_of(const py::error_already_set& error) {
  const py::object& exception = error.value();
  if (error.trace()) PyException_SetTraceback(exception.ptr(), error.trace().ptr());
  return exception;
}

py::object exception_of(const std::exception& error) {
  if (PyErr_Occurred() == nullptr) {
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
      PyErr_NoMemory();
    } else {
      PyErr_SetString(PyExc_RuntimeError, error.what());
    }
  }
  // Otherwise pybind11 has thrown because a Python error is set.
  return exception_of(py::error_already_set());
}

// The loop thread's side: batches go to the queue.
class Application::Sink final : public server::EventSink {
 public:
  explicit Sink(Application& application) : application_(application) {}
  void deliver(std::vector<server::Event>& events) override { application_.deliver(events); }
  void log(server::AccessBatch&& batch) override { application_.log(std::move(batch), events_); }
  [[nodiscard]] bool idle() const override { return application_.idle(); }
  [[nodiscard]] bool attended() const override { return application_.attended(); }
  [[nodiscard]] Waits interpreter_waits() const override {
    return {gil_waits().count.load(std::memory_order_relaxed),
            gil_waits().nanoseconds.load(std::memory_order_relaxed)};
  }

 private:
  Application& application_;
  std::vector<server::Event> events_;  // of log(): the memory is used again
};

Application::Application(Program program, Callbacks callbacks, const py::dict& constants,
                         const server::Settings& settings, const std::shared_ptr<Queue>& queue)
    : Link(settings, queue, [this] { return std::make_unique<Sink>(*this); }),
      callbacks_(std::move(callbacks)),
      context_(CallbackContext::capture()),
      environment_(constants),
      consumed_step_(settings.limits.ws_max_unread / kConsumedPart),
      has_uploads_(false),
      reserve_(std::make_unique<char[]>(kReserve)) {
  set_program(std::move(program));
}

void Application::set_program(Program program) {
  if (!program.open_upload.is_none() || !program.gateways.empty()) has_uploads_ = true;
  auto next = std::make_shared<const Program>(std::move(program));
  program_.swap(next);
  // The old one is destroyed here, with the new one in place, because that may run Python code.
}

void Application::deliver(std::vector<server::Event>& events) {
  for (const server::Event& read : arrivals_.take(events)) server().begun(read);
  if (events.empty()) return;
  expect(events.size());
  if (const auto queue = this->queue()) queue->push(shared_from_this(), events);
}

bool Application::attended() const {
  const auto queue = this->queue();
  return queue != nullptr && queue->attended();
}

void Application::log(server::AccessBatch&& batch, std::vector<server::Event>& events) {
  const auto queue = this->queue();
  if (queue == nullptr) return;
  events.emplace_back(server::LogEvent{std::move(batch)});
  queue->push(shared_from_this(), events);
}

void Application::handle(server::Event&& event, std::chrono::steady_clock::time_point& now) {
  // Events that are not awaited cause no wake-up; commands of their handlers wake the loop
  // themselves.
  const bool rung = server::is_awaited(event);
  const Gathering gathering(rung ? this : nullptr);
  std::optional<CallbackTime> time;
  if (rung) time.emplace(server().python(), now);
  if (server::waits(event)) server().begun(event);
  std::visit([this](auto&& each) { perform(std::move(each)); }, std::move(event));
  if (!rung) now = std::chrono::steady_clock::now();
}

void Application::refuse(server::Event&& event) {
  if (server::waits(event)) server().begun(event);
  const auto answer = [this](server::EnvelopePtr&& envelope) {
    answer_plain(std::move(envelope), 503);
  };
  if (auto* const request = std::get_if<server::RequestEvent>(&event)) {
    answer(std::move(request->envelope));
  } else if (const auto* const body = std::get_if<server::BodyEvent>(&event)) {
    auto envelope = std::make_unique<server::Envelope>();
    envelope->id = body->id;
    answer(std::move(envelope));
  } else if (auto* const open = std::get_if<server::WsOpenEvent>(&event);
             open != nullptr && open->waiting) {
    answer(std::move(open->request));
  } else if (const auto* const last = std::get_if<server::WsLastEvent>(&event)) {
    send(server::WsConclude{last->id});
  } else if (std::holds_alternative<server::WsOpenEvent>(event) ||
             std::holds_alternative<server::WsMessageEvent>(event)) {
    send(server::WsClose{server::connection_of(event), 1011, "no thread runs callbacks"});
  }
  if (!server::is_awaited(event)) return;
  ring(1);
}

void Application::answer_plain(server::EnvelopePtr&& envelope, int status) {
  http::PlainResponse plain = http::plain_response(status);
  envelope->head = std::move(plain.head);
  envelope->answer = std::move(plain.body);
  send(server::Respond{std::move(envelope)});
}

void Application::run(const py::object& function, std::chrono::steady_clock::time_point& now) {
  const CallbackContext context(context_);
  const CallbackTime time(server().python(), now);
  call_python(function);
}

template <class E>
void Application::perform(E&& event) {
  Work work{subject_of(event)};
  std::optional<CallbackContext> context;
  try {
    context.emplace(context_);
    work.context = context->object();
    on_event(std::move(event), work);
  } catch (py::error_already_set& error) {
    give_up(work);
    if (!error.matches(PyExc_Exception)) throw;
    report(work, exception_of(error));
  } catch (const std::exception& error) {
    give_up(work);
    report(work, exception_of(error));
  }
}

// Handling an event has failed: its request is answered with 500, or its connection is cut if the
// answer has begun (Cut does both); a WebSocket is closed with 1011 (RFC 6455 section 7.4.1).
void Application::give_up(const Work& work) {
  const auto* const exchange = std::get_if<server::ExchangeId>(&work.subject);
  const auto refuse = [&] {
    if (exchange != nullptr) {
      send(server::Cut{*exchange});
    } else {
      send(server::WsClose{std::get<server::ConnectionId>(work.subject), 1011, "internal error"});
    }
  };
  try {
    refuse();
  } catch (const std::bad_alloc&) {
    reserve_.reset();
    refuse();
  }
  if (exchange != nullptr) answered(*exchange);
  if (reserve_ == nullptr) reserve_.reset(new (std::nothrow) char[kReserve]);
}

// Calls on_error. An exception of on_error itself is reported as unraisable.
void Application::report(const Work& work, const py::object& exception) {
  try {
    call_python(callbacks_.on_error, work.where, work.environment, exception);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
    error.discard_as_unraisable(work.where);
  }
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

void Application::on_event(server::RequestEvent&& event, Work& work) {
  // A stopped server has no client to answer.
  if (!server().answers()) return;
  server::EnvelopePtr envelope = std::move(event.envelope);
  const std::shared_ptr<const Program> program = program_;
  if (envelope->mount != 0) {
    const auto& gateway = program->gateways[envelope->mount - std::size_t{1}];
    return gateway->request(*this, work, std::move(envelope));
  }
  const server::ExchangeId id = envelope->id;
  work.environment = environment_of(*envelope);
  // One that was announced and comes again has passed onHeaders. One that fell through a static
  // path was not announced: onHeaders is asked now.
  if (!envelope->resumed && !program->on_headers.is_none()) {
    const CallbackContext context(context_);  // `call` gets one of its own
    if (ask(work, envelope, program->on_headers, "onHeaders", true)) return;
  }
  if (!envelope->headers_only) {
    // Without `call` the loop answers; it may not have known yet that there is none any more.
    if (program->call.is_none()) return answer_plain(std::move(envelope), 404);
    ask(work, envelope, program->call, "call", false);
    return environment_.give_back(std::move(work.environment));
  }
  if (envelope->request.has_body() && !program->open_upload.is_none()) {
    return begin_upload(id, work, *program);
  }
  {
    const std::lock_guard lock(mutex_);
    announced_.push_back({id, py::reinterpret_borrow<py::dict>(work.environment)});
  }
  send(server::Continue{id});
}

void Application::on_event(server::AbandonedEvent&& event, Work& work) {
  Answering::abandoned(*this, event.id);
  take_announced(event.id);
  lose_upload(event.id);
  abandon(event.id);
  lose_socket(event.id, work);
}

// --- for the garbage collector ------------------------------------------------------------------

int Application::traverse(visitproc visit, void* argument) {
  const auto each = [&](const py::object& object) {
    return object.ptr() != nullptr ? visit(object.ptr(), argument) : 0;
  };
  int result = 0;
  environment_.each_held([&](const py::object& object) {
    if (result == 0) result = each(object);
  });
  if (result == 0) result = each(context_);
  for (const py::object* callback : callbacks_.all()) {
    if (result == 0) result = each(*callback);
  }
  // Only if nothing else holds the application: then this object alone keeps its objects alive.
  if (program_ != nullptr && program_.use_count() == 1) {
    for (const py::object* callback :
         {&program_->call, &program_->on_headers, &program_->on_ws_open, &program_->open_upload}) {
      if (result == 0) result = each(*callback);
    }
  }
  for (const Announced& announced : announced_) {
    if (result == 0) result = each(announced.environment);
  }
  for (const auto& upload : uploads_) {
    if (result == 0) result = each(upload.second.environment);
    if (result == 0) result = each(upload.second.receiver);
    if (result == 0) result = each(upload.second.call);
  }
  return result;
}

void Application::clear() {
  // Destroyed at the end, when this holds none of them any more: that may run any Python code.
  std::array<py::object, 4> callbacks;
  auto* dropped = callbacks.data();
  for (py::object* callback : callbacks_.all()) *dropped++ = std::exchange(*callback, py::none());
  const auto program = std::exchange(
      program_, std::make_shared<const Program>(
                    Program{py::none(), py::none(), py::none(), py::none(), false, false, {}}));
  const auto announced = std::exchange(announced_, {});
  const auto uploads = std::exchange(uploads_, {});
  const auto constants = environment_.take_held();
}

}  // namespace httpuv::python
