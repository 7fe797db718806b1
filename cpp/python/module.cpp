// The module httpuv._core: the interface of the core for the Python layer.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "files/pages/error_page.h"
#include "files/routes/options.h"
#include "python/answer/answering.h"
#include "python/answer/body_pipe.h"
#include "python/answer/reply.h"
#include "python/answer/upload.h"
#include "python/application/access.h"
#include "python/convert/buffer.h"
#include "python/convert/certificate.h"
#include "python/convert/environment.h"
#include "python/convert/file.h"
#include "python/convert/response.h"
#include "python/coroutine/begin.h"
#include "python/gateway/mounts.h"
#include "python/queue/host_reader.h"
#include "python/queue/queue.h"
#include "python/server/metrics_board.h"
#include "python/server/server_object.h"
#include "python/socket/socket.h"
#include "python/socket/topics.h"
#include "python/waking/input_hook.h"
#include "python/waking/signal_relay.h"

namespace py = pybind11;

namespace httpuv::python {
namespace {

template <Slot Reply::*member>
void slot(py::class_<Reply, std::shared_ptr<Reply>>& cls, const char* name) {
  cls.def_property(
      name, [](const Reply& self) { return (self.*member).get(); },
      [](Reply& self, py::object callback) { (self.*member).set(std::move(callback)); });
}

// Without py::mod_gil_not_used(): a free-threaded Python turns its GIL on for this module, which
// was not written or tested for one that has none.
#define PyInit__core init_core  // pybind11's entry point, for the main interpreter
PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of httpuv: loop thread, HTTP, static files, and the queue to Python.";
  m.attr("__version__") = HTTPUV_VERSION;

  py::class_<Queue, std::shared_ptr<Queue>>(m, "Queue")
      .def(py::init<std::size_t>(), py::arg("threads") = 1)
      .def(
          "run",
          [](Queue& self, std::optional<double> timeout, int max_events,
             std::optional<std::uint64_t> wakes,
             bool again) { return self.run(timeout, max_events, wakes, again, {}); },
          py::arg("timeout"), py::arg("max_events") = 0, py::arg("wakes") = py::none(),
          py::arg("again") = false)
      .def("rest", &Queue::rest, py::arg("timeout"))
      .def("begin_watch", &Queue::begin_watch)
      .def("end_watch", &Queue::end_watch)
      .def("unserved", &Queue::unserved, py::arg("seconds"), py::arg("watch"))
      .def("refuse", &Queue::refuse)
      .def("wake", &Queue::wake)
      .def_property_readonly("wakes", &Queue::wakes)
      .def("post", py::overload_cast<py::object>(&Queue::post), py::arg("func"))
      .def("fileno", &Queue::fileno, py::arg("lend") = false)
      .def("pending", &Queue::pending)
      .def("forget", &Queue::forget);

  register_host_reader(m);

  py::class_<files::MimeTable, std::shared_ptr<files::MimeTable>>(m, "MimeTable")
      .def(py::init(&make_mime_table), py::arg("types"));

  py::class_<File>(m, "File").def(
      py::init<int, std::string, std::shared_ptr<files::MimeTable>, const py::dict&>(),
      py::arg("fd"), py::arg("name"), py::arg("mime"), py::arg("environ"));

  py::class_<FilePart>(m, "FilePart")
      .def(py::init<int, std::uint64_t, std::uint64_t>(), py::arg("fd"), py::arg("offset"),
           py::arg("length"));

  py::class_<Reply, std::shared_ptr<Reply>> reply(m, "Reply");
  reply.def("send", &Reply::send, py::arg("normal"))
      .def("send_plain", &Reply::send_plain, py::arg("result"), py::arg("ring") = true)
      .def("start", &Reply::start, py::arg("status"), py::arg("headers"), py::arg("length"),
           py::arg("filler") = py::none())
      .def("write", &Reply::write, py::arg("data"), py::arg("acknowledge") = false,
           py::arg("ring") = true)
      .def("ring", &Reply::ring)
      .def("gather", &Reply::gather, py::arg("func"))
      .def("feed", &Reply::feed, py::arg("topics"), py::arg("last_event_id"), py::arg("history"),
           py::arg("retry"))
      .def("write_file", &Reply::write_file, py::arg("file"))
      .def("wait_for_room", &Reply::wait_for_room)
      .def("inform", &Reply::inform, py::arg("status"), py::arg("headers"))
      .def("accept", &Reply::accept, py::arg("protocol"), py::arg("headers"))
      .def("end", &Reply::end, py::arg("trailers") = py::none())
      .def("cut", &Reply::cut)
      .def("call_soon", &Reply::call_soon, py::arg("func"))
      .def_property_readonly("done", &Reply::done);
  slot<&Reply::on_taken>(reply, "on_taken");
  slot<&Reply::on_abandoned>(reply, "on_abandoned");

  py::class_<BodyPipe, std::shared_ptr<BodyPipe>>(m, "BodyPipe")
      .def("readinto", &BodyPipe::read_into, py::arg("buffer"));
  py::class_<Upload, std::shared_ptr<Upload>>(m, "Upload")
      .def("resume", &Upload::resume)
      .def("consumed", &Upload::consumed, py::arg("bytes"));

  register_topics(m);
  py::class_<Socket, std::shared_ptr<Socket>>(m, "Socket")
      .def("send", &Socket::send, py::arg("message"), py::arg("compress") = true)
      .def("ping", &Socket::ping, py::arg("payload"))
      .def("close", &Socket::close, py::arg("code"), py::arg("reason"))
      .def("subscribe", &Socket::subscribe, py::arg("topic"), py::arg("since") = py::none(),
           py::arg("history") = false)
      .def("unsubscribe", &Socket::unsubscribe, py::arg("topic"))
      .def("subscriptions", &Socket::subscriptions)
      .def("buffered", &Socket::buffered)
      .def("call_soon", &Socket::call_soon, py::arg("func"))
      .def("consumed", &Socket::consumed, py::arg("messages"))
      .def("outstanding", &Socket::outstanding)
      .def("acknowledge", &Socket::acknowledge);

  py::class_<ServerObject>(m, "Server", py::custom_type_setup(set_up_gc))
      .def(py::init([](std::shared_ptr<Queue> queue, py::object call, py::object on_headers,
                       py::object on_error, py::object convert, const py::dict& environ,
                       const py::dict& settings, py::object on_ws_open, py::object open_upload,
                       bool call_first, bool ws_waits, py::object access_log, py::object on_notice,
                       bool allow_connect, const py::list& mounts, const py::list& topics,
                       bool brokered) {
             return std::make_unique<ServerObject>(
                 std::move(queue),
                 Program{std::move(call),
                         std::move(on_headers),
                         std::move(on_ws_open),
                         std::move(open_upload),
                         call_first,
                         ws_waits,
                         {}},
                 Callbacks{std::move(on_error), std::move(on_notice), std::move(convert),
                           std::move(access_log)},
                 environ, settings, allow_connect, mounts, topics, brokered);
           }),
           py::arg("queue"), py::kw_only(), py::arg("call"), py::arg("on_headers"),
           py::arg("on_error"), py::arg("convert"), py::arg("environ"), py::arg("settings"),
           py::arg("on_ws_open") = py::none(), py::arg("open_upload") = py::none(),
           py::arg("call_first") = false, py::arg("ws_waits") = false,
           py::arg("access_log") = py::none(), py::arg("on_notice") = py::none(),
           py::arg("allow_connect") = false, py::arg("mounts") = py::list(),
           py::arg("topics") = py::list(), py::arg("brokered") = false)
      .def("listen_tcp", &ServerObject::listen_tcp, py::arg("host"), py::arg("port"))
      .def("listen_fd", &ServerObject::listen_fd, py::arg("fd"))
      .def("listen_pipe", &ServerObject::listen_pipe, py::arg("name"), py::arg("mask"))
      .def("listen_admin_tcp", &ServerObject::listen_admin_tcp, py::arg("host"), py::arg("port"))
      .def("listen_admin_fd", &ServerObject::listen_admin_fd, py::arg("fd"))
      .def("listen_admin_pipe", &ServerObject::listen_admin_pipe, py::arg("name"))
      .def("listen_with", &ServerObject::listen_with, py::arg("other"))
      .def(
          "set_program",
          [](ServerObject& self, py::object call, py::object on_headers, py::object on_ws_open,
             py::object open_upload, bool call_first, bool ws_waits, bool allow_connect,
             const py::list& root) {
            self.set_program(Program{std::move(call),
                                     std::move(on_headers),
                                     std::move(on_ws_open),
                                     std::move(open_upload),
                                     call_first,
                                     ws_waits,
                                     {}},
                             allow_connect, root);
          },
          py::kw_only(), py::arg("call"), py::arg("on_headers"), py::arg("on_ws_open"),
          py::arg("open_upload"), py::arg("call_first"), py::arg("ws_waits"),
          py::arg("allow_connect"), py::arg("root"))
      .def("set_routes", &ServerObject::set_routes, py::arg("routes"), py::arg("mime"))
      .def("publish", &ServerObject::publish, py::arg("topic"), py::arg("message"),
           py::arg("compress") = true, py::arg("binary") = py::none(), py::arg("event") = "",
           py::arg("offset") = py::none())
      .def(
          "topic_stats",
          [](const ServerObject& self, const std::string& topic) {
            return topic_stats(self.application(), topic);
          },
          py::arg("topic"))
      .def(
          "load_topic",
          [](const ServerObject& self, const std::string& topic, const std::string& epoch,
             std::uint64_t offset, const py::list& messages) {
            load_topic(self.application(), topic, epoch, offset, messages);
          },
          py::arg("topic"), py::arg("epoch"), py::arg("offset"), py::arg("messages"))
      .def("topic_needs", [](const ServerObject& self) { return topic_needs(self.application()); })
      .def(
          "release_topic",
          [](const ServerObject& self, const std::string& topic) {
            return release_topic(self.application(), topic);
          },
          py::arg("topic"))
      .def(
          "set_broker",
          [](const ServerObject& self, bool away, bool ready, std::uint64_t dropped,
             std::uint64_t renewed) {
            using State = server::BrokerState;
            const State state = !away ? State::kThere : ready ? State::kAway : State::kAwayNotReady;
            set_broker(self.application(), state, dropped, renewed);
          },
          py::kw_only(), py::arg("away"), py::arg("ready"), py::arg("dropped"), py::arg("renewed"))
      .def("begin_stop", &ServerObject::begin_stop, py::arg("timeout"))
      .def("stop", &ServerObject::stop, py::arg("timeout") = 0.0)
      .def_property_readonly("stopped", &ServerObject::stopped)
      .def("forget", &ServerObject::forget)
      .def("stats", &ServerObject::stats)
      .def("metrics", &ServerObject::metrics)
      .def_property_readonly("running", &ServerObject::running);

  register_coroutines(m);
  register_certificates(m);
  register_access_records(m);
  py::class_<MetricsBoard>(m, "MetricsBoard")
      .def(py::init<int>(), py::arg("fd"))
      .def("stuck", &MetricsBoard::stuck, py::arg("first"), py::arg("count"))
      .def("requests", &MetricsBoard::requests, py::arg("first"), py::arg("count"))
      .def("leave", &MetricsBoard::leave, py::arg("first"), py::arg("count"));

  register_gateways(m);
  m.def("client_gone", &Answering::client_gone);
  m.def("set_input_hook", &set_input_hook, py::arg("input"), py::arg("fd"), py::arg("run"));
  m.def("input_hook_displaced", &input_hook_displaced);
  m.def("clear_input_hook", &clear_input_hook);
  m.def("relay_signals", &relay_signals, py::arg("signals"), py::arg("fd"),
        py::arg("second_exits"));
  m.def("register_headers", &register_headers, py::arg("cls"));
  m.def("register_input", &register_input, py::arg("cls"));
  m.def("static_header_error", &files::header_error, py::arg("name"), py::arg("value"));
  m.def("error_page", &files::error_page, py::arg("status"), py::arg("phrase"));
  m.def("to_bytes", &to_bytes, py::arg("value"), py::arg("what"));
}

#undef PyInit__core

}  // namespace
}  // namespace httpuv::python

// The state of this module belongs to the process. Before Python 3.12, an import in another
// interpreter would block for ever in pybind11, which waits for the GIL of this thread.
extern "C" PYBIND11_EXPORT PyObject* PyInit__core() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError, "httpuv works in the main interpreter only");
    return nullptr;
  }
  return httpuv::python::init_core();
}
