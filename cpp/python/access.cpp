// The access log's way into Python; the rest of Application is in application.cpp.
#include <chrono>

#include "python/application.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

double seconds(std::chrono::system_clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

// What a client wrote is bytes; each is one character, as in the environment.
py::object latin1(const std::string& text) {
  PyObject* const object =
      PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

}  // namespace

void Application::on_event(server::AnsweredEvent&& event) {
  const server::AccessRecord& record = *event.record;
  try {
    callbacks_.on_answered(record.remote_address, record.remote_port, latin1(record.method),
                           latin1(record.target), record.minor_version, record.status, record.bytes,
                           seconds(record.ended.time_since_epoch()),
                           seconds(record.ended - record.begun), latin1(record.referer),
                           latin1(record.user_agent), record.skipped);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_Exception)) throw;
    callbacks_.on_error("accessLog", py::none(), exception_of(error));
  }
}

}  // namespace httpuv::python
