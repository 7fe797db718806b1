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
  std::int64_t take_ms(const char* name_of_seconds) {
    return static_cast<std::int64_t>(take<double>(name_of_seconds) * 1000);
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
  const auto bytes = [&](const char* name) { return options.take<std::uint64_t>(name); };
  const auto count = [&](const char* name) { return options.take<std::size_t>(name); };
  const auto ms = [&](const char* name) { return options.take_ms(name); };
  const server::Limits limits{
      .request = {.max_head_bytes = count("max_head_bytes"),
                  .max_header_count = options.take<std::uint32_t>("max_header_count"),
                  .max_body_bytes = bytes("max_body_bytes")},
      .body_memory_bytes = count("body_memory_bytes"),
      .tls_handshake_timeout = ms("tls_handshake_timeout"),
      .header_timeout = ms("header_timeout"),
      .body_timeout = ms("body_timeout"),
      .idle_timeout = ms("idle_timeout"),
      .write_timeout = ms("write_timeout"),
      .linger_timeout = ms("linger_timeout"),
      .max_connections = count("max_connections"),
      .max_pipelined = count("max_pipelined"),
      .queue_requests = count("queue_requests"),
      .memory_bytes = bytes("memory_bytes"),
      .disk_bytes = options.take<std::optional<std::uint64_t>>("disk_bytes"),
      .queue_bytes = bytes("queue_bytes"),
      .ws_max_message = bytes("ws_max_message_bytes"),
      .ws_max_queue = count("ws_queue_bytes"),
      .ws_max_unread = count("ws_unread_bytes"),
      .ws_accept_timeout = ms("ws_accept_timeout"),
      .ws_ping_interval = ms("ws_ping_interval"),
      .ws_pong_timeout = ms("ws_pong_timeout"),
      .ws_close_timeout = ms("ws_close_timeout")};
  options.end();
  return limits;
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
  server::Settings settings(read_limits(options.take<py::dict>("limits")));
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
  settings.builtin.ready_max_wait_ms = options.take_ms("ready_max_wait");
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
