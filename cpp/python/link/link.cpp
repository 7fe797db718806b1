#include "python/link/link.h"

#include <chrono>
#include <utility>

#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// How long a thread waits for room before it lets Python's signal handlers run.
constexpr std::chrono::milliseconds kRoomSignalCheck{100};

// Whether an asyncio loop runs on this thread, which therefore must not wait here.
bool runs_asyncio() {
  const auto events =
      py::reinterpret_steal<py::object>(PyImport_GetModule(py::str("asyncio.events").ptr()));
  if (!events) {
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
    return false;
  }
  return !events.attr("_get_running_loop")().is_none();
}

// Whose commands on this thread the queue, or gather(), rings for.
thread_local const Link* t_gathering = nullptr;

}  // namespace

Link::Gathering::Gathering(const Link* link)
    : here_(t_gathering), outer_(std::exchange(here_, link)) {}

Link::Gathering::~Gathering() {
  here_ = outer_;
}

Link::Link(const server::Settings& settings, const std::shared_ptr<Queue>& queue,
           const server::Workers::MakeSink& make_sink)
    : ws_max_queue_(settings.limits.ws_max_queue),
      ws_overflow_(settings.websocket.overflow),
      queue_(queue),
      server_(settings, settings.workers, make_sink) {
  server_.python().threads = queue->threads();
}

// Inside a callback the queue wakes the loop after the batch; outside nothing else would.
bool Link::rings() const {
  return t_gathering != this;
}

bool Link::wait_for_room() {
  while (server_.crowded()) {
    if (runs_asyncio()) return false;
    {
      const GilRelease release;
      server_.wait_for_room(kRoomSignalCheck);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  return true;
}

// The first answer of a task whose loop waits for this one, too, is written at once; the rest until
// then together. A wake-up would cost two system calls and a turn of the host's loop.
bool Link::send(server::Command&& command) {
  const bool ring = rings();
  const bool whole = std::holds_alternative<server::Respond>(command) ||
                     std::holds_alternative<server::WsSend>(command);
  if (!ring || !whole || !Queue::take_lent(this)) return server_.post(std::move(command), ring);
  if (!server_.post(std::move(command), false)) return false;
  server_.only()->serve_lent();
  return true;
}

bool Link::subscribe(server::WsSubscribe&& command) {
  return server_.subscribe(std::move(command), rings());
}

bool Link::feed(server::Feed&& command) {
  return server_.feed(std::move(command), rings());
}

std::uint64_t Link::publish(std::string&& topic, server::SharedPublication message) {
  return server_.publish(std::move(topic), std::move(message), rings());
}

bool Link::leave(server::Command&& command) {
  return server_.post(std::move(command), false);
}

void Link::ring(int handled) {
  // In this order: what the loop does when the application is idle, it does when it is rung for.
  unhandled_.fetch_sub(static_cast<std::size_t>(handled), std::memory_order_relaxed);
  server_.ring();
}

void Link::gather(const py::object& function) {
  struct Finally {
    Link& link;
    ~Finally() { link.ring(1); }
  } const finally{*this};
  const Gathering gathering(this);  // ends before that
  expect(1);
  ring();  // from now on the loop looks by itself
  function();
}

void Link::post(const server::ConnectionId& id, py::object function) {
  if (const auto queue = this->queue()) queue->post(shared_from_this(), id, std::move(function));
}

}  // namespace httpuv::python
