#include "python/convert/settings.h"

#include <pybind11/stl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/observe/file_log.h"

#include "python/convert/certificate.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Removes options from a copy of the dict, so that the rest are unknown options.
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
  options.take_seconds("tls_handshake_timeout", l.tls_handshake_timeout);
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

std::shared_ptr<server::FileLog> open_log(const std::string& format, const std::string& path) {
  std::string wrong;
  auto made = server::LogFormat::make(format, &wrong);
  if (!made) throw py::value_error("accessLog: " + wrong);
  int error = 0;
  auto writer = server::LogWriter::open(path, &error);
  if (writer == nullptr) {
    errno = error;
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
    throw py::error_already_set();
  }
  return std::make_shared<server::FileLog>(server::FileLog{std::move(*made), std::move(writer)});
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
  for (const auto& each : options.take<std::vector<std::string>>("proxies")) {
    if (!settings.proxies.add(each)) {
      throw py::value_error("forwardedAllowIps: no address, network, \"unix\" or \"*\": " + each);
    }
  }
  options.take("proxy_protocol", settings.proxy_protocol);
  options.take("request_ids", settings.request_ids);
  const auto log = options.take<std::optional<std::pair<std::string, std::string>>>("file_log");
  if (log) {
    settings.file_log = open_log(log->first, log->second);
    if (settings.file_log->format.has_request_id()) settings.request_ids = true;
  }
  options.take("health", settings.builtin.health);
  options.take("ready", settings.builtin.ready);
  options.take("metrics", settings.builtin.metrics);
  options.take_seconds("ready_max_wait", settings.builtin.ready_max_wait_ms);
  options.take("build", settings.build_info);
  if (const auto board = options.take<std::optional<std::pair<int, std::size_t>>>("board")) {
    int error = 0;
    settings.metrics =
        server::MetricsMemory::open(board->first, board->second, settings.workers, &error);
    if (settings.metrics == nullptr) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      throw py::error_already_set();
    }
  }
  settings.tls = read_certificates(options.take<py::list>("tls"));
  options.end();
  // Here, where the GIL keeps Python from changing the environment meanwhile.
  const char* folder = std::getenv("TMPDIR");
  if (folder != nullptr && *folder != '\0') settings.spool_folder = folder;
  return settings;
}

}  // namespace httpuv::python
