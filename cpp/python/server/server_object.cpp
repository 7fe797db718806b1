#include "python/server/server_object.h"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "python/convert/settings.h"
#include "python/gateway/mounts.h"
#include "python/runtime/gil.h"
#include "python/runtime/lending.h"
#include "python/server/routes.h"
#include "python/socket/socket.h"
#include "python/socket/topics.h"
#include "server/observe/families.h"
#include "server/report/errors.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

constexpr server::Door kAdmin{true};

// How long a wait lasts before Python's signal handlers get their turn.
constexpr int kStopSignalCheckMs = 40;

[[noreturn]] void throw_os_error(int error, const std::string& what) {
  PyErr_SetObject(PyExc_OSError, py::make_tuple(error, py::str(std::strerror(error)), what).ptr());
  throw py::error_already_set();
}

// libuv's numbers are negated errnos, or those of the name resolver below them.
[[noreturn]] void throw_listen_error(int error, const std::string& what) {
  if (server::is_resolver_error(error)) {
    const py::object gaierror = py::module_::import("socket").attr("gaierror");
    PyErr_SetObject(gaierror.ptr(), py::make_tuple(server::resolver_error(error),
                                                   what + ": " + server::error_text(error))
                                        .ptr());
    throw py::error_already_set();
  }
  throw_os_error(-error, what);
}

constexpr std::pair<const char*, server::Held> kHeldNames[] = {
    {"heads", server::Held::kHeads},
    {"bodies", server::Held::kBodies},
    {"spooling", server::Held::kSpooling},
    {"spooled", server::Held::kSpooled},
    {"answers", server::Held::kAnswers},
    {"commands", server::Held::kCommands},
    {"messages_in", server::Held::kMessagesIn},
    {"messages_out", server::Held::kMessagesOut},
    {"tls", server::Held::kTls},
    {"log", server::Held::kLog},
};

// The abilities of the application follow from the callbacks that it has.
server::Abilities abilities_of(const Program& program, bool allow_connect) {
  server::Abilities can;
  can.call = !program.call.is_none();
  can.on_headers = !program.on_headers.is_none();
  can.stream_body = !program.open_upload.is_none();
  can.connect = allow_connect;
  can.websocket = !program.on_ws_open.is_none();
  can.ws_waits = program.ws_waits;
  return can;
}

}  // namespace

ServerObject::ServerObject(std::shared_ptr<Queue> queue, Program program, Callbacks callbacks,
                           const py::dict& environment, const py::dict& settings_given,
                           bool allow_connect, const py::list& mounts, const py::list& topics,
                           bool brokered)
    : queue_(std::move(queue)) {
  server::Settings settings = read_settings(settings_given);
  settings.topics = to_topic_settings(topics, brokered);
  settings.access_log = !callbacks.access_log.is_none();
  settings.abilities = abilities_of(program, allow_connect);
  for (MountedGateway& each : make_gateways(mounts)) {
    settings.mounts.push_back(std::move(each.mount));
    program.gateways.push_back(std::move(each.gateway));
  }
  routing_ = {settings.abilities, settings.mounts};
  application_ = std::make_shared<Application>(std::move(program), std::move(callbacks),
                                               environment, std::move(settings), queue_);
  door_.proxy = application_->server().settings().proxy_protocol;
  guard_.emplace(application_->server());
}

ServerObject::~ServerObject() {
  if (stopped()) return;  // the GIL is kept, as in stop()
  const GilRelease release;
  application_->server().stop(0);
}

std::tuple<std::string, int> ServerObject::listen_tcp(const std::string& host, int port) {
  server::Bound bound;
  std::string failed;
  int error = 0;
  {
    const GilRelease release;
    error = application_->server().listen_tcp(host, port, &bound, &failed, door_);
  }
  const std::string address = failed.empty() ? host + ":" + std::to_string(port) : failed;
  if (error != 0) throw_listen_error(error, address);
  start(bound.host, std::to_string(bound.port), address);
  return {bound.host, bound.port};
}

std::tuple<std::string, int> ServerObject::listen_fd(int fd) {
  server::Bound bound;
  const int error = application_->server().listen_fd(fd, &bound, door_);
  const std::string what = "descriptor " + std::to_string(fd);
  if (error != 0) throw_listen_error(error, what);
  start(bound.port == 0 ? "localhost" : bound.host,
        bound.port == 0 ? "" : std::to_string(bound.port), what);
  return {bound.host, bound.port};
}

std::tuple<std::string, int> ServerObject::listen_with(ServerObject& other) {
  server::Bound bound;
  int error = 0;
  {
    const GilRelease release;
    error = application_->server().listen_with(other.application_->server(), &bound);
  }
  if (error != 0) throw_listen_error(error, other.host_);
  try {
    start(other.port_ < 0 ? "localhost" : bound.host,
          other.port_ < 0 ? "" : std::to_string(bound.port), other.host_);
  } catch (...) {
    other.application_->server().take_back();
    throw;
  }
  return {bound.host, bound.port};
}

void ServerObject::set_program(Program program, bool allow_connect, const py::list& root) {
  const std::shared_ptr<const Program> before = application_->program();
  if (py::len(root) != 0) {
    // The callbacks of a Rook application stay for the requests that were given to it already.
    program = *before;
  } else {
    program.gateways = before->gateways;
  }
  std::vector<server::Mount>& mounts = routing_.mounts;
  const bool had_root = !mounts.empty() && mounts.back().prefix.empty();
  if (had_root) mounts.back().off = true;
  for (MountedGateway& each : make_gateways(root)) {
    each.gateway->listening(host_, port_);
    if (had_root) {
      mounts.back() = std::move(each.mount);
      program.gateways.back() = std::move(each.gateway);
    } else {
      mounts.push_back(std::move(each.mount));
      program.gateways.push_back(std::move(each.gateway));
    }
  }
  if (py::len(root) == 0) routing_.root = abilities_of(program, allow_connect);
  // In this order: a mount exists before the loop sends a request to it.
  application_->set_program(std::move(program));
  const GilRelease release;
  application_->server().set_routing(routing_);
}

void ServerObject::listen_pipe(const std::string& name, std::optional<unsigned> mask) {
  int error = 0;
  {
    const GilRelease release;
    error = application_->server().listen_pipe(name, mask, door_);
  }
  if (error != 0) throw_listen_error(error, name);
  start("localhost", "", name);
}

std::tuple<std::string, int> ServerObject::listen_admin_tcp(const std::string& host, int port) {
  server::Bound bound;
  std::string failed;
  int error = 0;
  {
    const GilRelease release;
    error = application_->server().listen_tcp(host, port, &bound, &failed, kAdmin);
  }
  if (error != 0) {
    throw_listen_error(error, failed.empty() ? host + ":" + std::to_string(port) : failed);
  }
  return {bound.host, bound.port};
}

void ServerObject::listen_admin_fd(int fd) {
  server::Bound bound;
  const int error = application_->server().listen_fd(fd, &bound, kAdmin);
  if (error != 0) throw_listen_error(error, "descriptor " + std::to_string(fd));
}

void ServerObject::listen_admin_pipe(const std::string& name) {
  int error = 0;
  {
    const GilRelease release;
    error = application_->server().listen_pipe(name, {}, kAdmin);
  }
  if (error != 0) throw_listen_error(error, name);
}

// The first request comes after this: it finds the server's own address in its environment.
void ServerObject::start(const std::string& name, const std::string& port,
                         const std::string& address) {
  application_->environment().set_constant("SERVER_NAME", py::str(name));
  application_->environment().set_constant("SERVER_PORT", py::str(port));
  host_ = port.empty() ? address : name;
  port_ = port.empty() ? -1 : std::stoi(port);
  for (const auto& gateway : application_->program()->gateways) gateway->listening(host_, port_);
  int error = 0;
  {
    const GilRelease release;
    // Either there is no thread yet, or forget() in the child handles it.
    const auto no_fork = ForkGuard::hold();
    error = application_->server().start();
  }
  if (error != 0) throw_listen_error(error, address);
  queue_->attach(application_);
}

void ServerObject::set_routes(const py::list& routes, std::shared_ptr<files::MimeTable> mime) {
  auto table = make_route_table(routes, std::move(mime));
  const GilRelease release;
  application_->server().set_routes(std::move(table));
}

std::uint64_t ServerObject::publish(std::string topic, py::handle message, bool compress,
                                    const py::object& binary, std::string event,
                                    const std::optional<std::uint64_t>& offset) {
  if (offset) {
    server::SharedPublication told = to_publication(message, binary, std::move(event), compress);
    told->offset = *offset;
    application_->send(server::Publish{std::move(topic), std::move(told)});
    return *offset;
  }
  const bool room = application_->wait_for_room();
  server::SharedPublication made = to_publication(message, binary, std::move(event), compress);
  const std::uint64_t drains = application_->server().drains();
  const std::size_t size = made->message.payload_size();
  if (!room && !burst_.admits(drains, size, application_->ws_max_queue())) {
    // Its subscribers are told once for all that the loop could not take in between.
    const bool told = overflowed_at_.exchange(drains) == drains;
    if (application_->ws_overflow() != server::Overflow::kDrop && !told) {
      application_->send(server::WsOverflow{std::move(topic)});
    }
    return 0;
  }
  return application_->publish(std::move(topic), std::move(made));
}

void ServerObject::begin_stop(double timeout) {
  application_->server().begin_stop(static_cast<std::int64_t>(timeout * 1000));
}

void ServerObject::stop(double timeout) {
  const struct Finally {
    ~Finally() { free_returned(); }  // perhaps no callback follows
  } finally{};
  server::Workers& server = application_->server();
  begin_stop(timeout);
  // When it is stopped the GIL is kept: a daemon thread that released it while the interpreter
  // exits would be ended inside C++ code.
  while (!stopped()) {
    {
      const GilRelease release;
      if (server.wait_stopped(kStopSignalCheckMs)) return;
    }
    if (guarded([] { return PyErr_CheckSignals(); }) == 0) continue;
    // The answers under way get no more time, as after a second signal elsewhere.
    py::error_already_set interrupt;
    server.begin_stop(0);
    {
      const GilRelease release;
      server.wait_stopped(kStopSignalCheckMs);
    }
    throw interrupt;
  }
}

// If others hold the application, they keep its objects alive, not this object.
int ServerObject::traverse(visitproc visit, void* argument) const {
  const bool alone = stopped() && application_.use_count() == 1;
  return alone ? application_->traverse(visit, argument) : 0;
}

void ServerObject::clear() const {
  if (stopped() && application_.use_count() == 1) application_->clear();
}

void set_up_gc(PyHeapTypeObject* type) {
  static const auto kObject = [](PyObject* self) -> ServerObject* {
    auto* const instance = reinterpret_cast<py::detail::instance*>(self);
    const py::detail::value_and_holder value = instance->get_value_and_holder();
    return value.holder_constructed() ? value.value_ptr<ServerObject>() : nullptr;
  };
  type->ht_type.tp_flags |= Py_TPFLAGS_HAVE_GC;
  type->ht_type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    const ServerObject* const object = kObject(self);
    return object != nullptr ? object->traverse(visit, arg) : 0;
  };
  type->ht_type.tp_clear = [](PyObject* self) {
    if (const ServerObject* const object = kObject(self)) object->clear();
    return 0;
  };
}

py::dict ServerObject::metrics() const {
  server::Workers& server = application_->server();
  {
    const GilRelease release;
    server.take_gauges();
  }
  py::dict result;
  for (const server::Family& family :
       server::families(server.metrics(), server.settings().build_info)) {
    for (const server::Sample& sample : family.samples) {
      py::dict labels;
      for (const auto& [name, value] : sample.labels) labels[py::str(name)] = value;
      const py::str name(std::string(family.name).append(sample.suffix));
      const bool whole = sample.value == std::floor(sample.value);
      const py::object number = whole
                                    ? py::object(py::int_(static_cast<std::int64_t>(sample.value)))
                                    : py::object(py::float_(sample.value));
      if (!result.contains(name)) result[name] = py::list();
      result[name].cast<py::list>().append(py::make_tuple(labels, number));
    }
  }
  return result;
}

py::dict ServerObject::stats() const {
  using server::Counters;
  const server::Workers& server = application_->server();
  py::dict result;
  result["accepted"] = server.total(&Counters::accepted);
  result["connections"] = server.total(&Counters::connections);
  result["requests"] = server.total(&Counters::requests);
  result["static_files"] = server.total(&Counters::static_files);
  result["in_flight"] = server.total(&Counters::in_flight);
  result["overloaded"] = server.total(&Counters::overloaded);
  result["refused"] = server.total(&Counters::refused);
  result["accept_failures"] = server.total(&Counters::accept_failures);
  result["timed_out"] = server.total(&Counters::timed_out);
  result["evicted"] = server.total(&Counters::evicted);
  const server::Budget& budget = server.budget();
  result["memory_bytes"] = budget.memory_of_all();
  result["disk_bytes"] = budget.used_by_all(server::Held::kSpooled);
  py::dict held;
  for (const auto& [name, kind] : kHeldNames) held[name] = budget.used_by_all(kind);
  result["held"] = held;
  result["published"] = server.total(&Counters::published);
  result["topic_dropped"] = server.total(&Counters::topic_dropped);
  result["topic_closed"] = server.total(&Counters::topic_closed);
  result["tls_handshakes"] = server.total(&Counters::tls_handshakes);
  result["tls_resumed"] = server.total(&Counters::tls_resumed);
  result["tls_failures"] = server.total(&Counters::tls_failures);
  result["log_dropped"] = server.total(&Counters::log_dropped);
  return result;
}

}  // namespace httpuv::python
