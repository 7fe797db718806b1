#include "python/convert/settings.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Takes options out of a copy of the dict, so that what is left is what the core does not know.
class Options {
 public:
  explicit Options(const py::dict& given) : left_(py::dict(given.attr("copy")())) {}

  template <class T>
  T take(const char* name) {
    return left_.attr("pop")(name).cast<T>();
  }
  template <class T>
  void take(const char* name, T& into) {
    into = take<T>(name);
  }
  void take_seconds(const char* name, std::int64_t& into_ms) {
    into_ms = static_cast<std::int64_t>(take<double>(name) * 1000);
  }

  void end() const {
    if (!left_.empty()) throw py::type_error("unknown: " + std::string(py::repr(left_)));
  }

 private:
  py::dict left_;
};

server::Overflow overflow_of(const std::string& name) {
  if (name == "close") return server::Overflow::kClose;
  if (name == "drop") return server::Overflow::kDrop;
  if (name == "callback") return server::Overflow::kTell;
  throw py::value_error("unknown overflow: " + name);
}

server::Limits read_limits(const py::dict& given) {
  Options options(given);
  server::Limits l;
  options.take("max_head_bytes", l.request.max_head_bytes);
  options.take("max_header_count", l.request.max_header_count);
  options.take("max_body_bytes", l.request.max_body_bytes);
  options.take("body_memory_bytes", l.body_memory_bytes);
  options.take_seconds("header_timeout", l.header_timeout);
  options.take_seconds("body_timeout", l.body_timeout);
  options.take_seconds("idle_timeout", l.idle_timeout);
  options.take_seconds("write_timeout", l.write_timeout);
  options.take_seconds("linger_timeout", l.linger_timeout);
  options.take("max_connections", l.max_connections);
  options.take("max_pipelined", l.max_pipelined);
  options.take("queue_requests", l.queue_requests);
  options.take("queue_bytes", l.queue_bytes);
  options.take("memory_bytes", l.memory_bytes);
  options.take("disk_bytes", l.disk_bytes);
  options.take("ws_max_message_bytes", l.ws_max_message);
  options.take("ws_queue_bytes", l.ws_max_queue);
  options.take("ws_unread_bytes", l.ws_max_unread);
  options.take_seconds("ws_accept_timeout", l.ws_accept_timeout);
  options.take_seconds("ws_ping_interval", l.ws_ping_interval);
  options.take_seconds("ws_pong_timeout", l.ws_pong_timeout);
  options.take_seconds("ws_close_timeout", l.ws_close_timeout);
  options.end();
  return l;
}

}  // namespace

server::Settings read_settings(const py::dict& given) {
  Options options(given);
  server::Settings settings;
  settings.limits = read_limits(options.take<py::dict>("limits"));
  options.take("allowed_hosts", settings.allowed_hosts);
  options.take("gzip", settings.gzip);
  options.take("io_threads", settings.workers);
  options.take("backlog", settings.bind.backlog);
  options.take("reuse_port", settings.bind.reuse_port);
  options.take("ws_allowed_origins", settings.websocket.allowed_origins);
  options.take("ws_protocols", settings.websocket.protocols);
  options.take("ws_deflate", settings.websocket.deflate);
  options.take("ws_deflate_loopback", settings.websocket.deflate_loopback);
  settings.websocket.overflow = overflow_of(options.take<std::string>("ws_overflow"));
  options.end();
  // Here, where the GIL keeps Python from changing the environment meanwhile.
  const char* folder = std::getenv("TMPDIR");
  if (folder != nullptr && *folder != '\0') settings.spool_folder = folder;
  return settings;
}

}  // namespace httpuv::python
