#include "python/gateway/start_response.h"

#include <structmember.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "http/message/response.h"
#include "python/answer/body_pipe.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/convert/names.h"
#include "python/convert/response.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"
#include "python/runtime/shielded.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

[[noreturn]] void fail_with(PyObject* type, const std::string& what) {
  PyErr_SetString(type, what.c_str());
  throw py::error_already_set();
}

constexpr const char* kTooLong = "the body is longer than its Content-Length";

// The status with a registered phrase that came last: mostly it is a constant of the application,
// so the same object comes again. By the GIL.
struct {
  PyObject* text;  // a reference of its own, which stays with the process
  int code;
} g_usual_status{nullptr, 0};

// "200 OK" -> 200, and the phrase where it is not the registered one.
void set_status_line(http::ResponseHead& head, PyObject* status) {
  if (status == g_usual_status.text) {
    head.status = g_usual_status.code;
    return;
  }
  if (!PyUnicode_Check(status)) {
    fail_with(PyExc_TypeError, "status must be str, not " + std::string(Py_TYPE(status)->tp_name));
  }
  Py_ssize_t size = 0;
  const char* const data = PyUnicode_AsUTF8AndSize(status, &size);
  if (data == nullptr) throw py::error_already_set();
  const std::string_view line(data, static_cast<std::size_t>(size));
  int code = 0;
  const bool digits = line.size() >= 3 && (line.size() == 3 || line[3] == ' ');
  for (std::size_t i = 0; digits && i < 3; ++i) {
    code = line[i] >= '0' && line[i] <= '9' ? code * 10 + (line[i] - '0') : -10'000;
  }
  if (code < 200 || code > 999) {
    fail_with(PyExc_ValueError, "status must be like '200 OK', from 200 to 999, not " +
                                    static_cast<std::string>(py::repr(status)));
  }
  head.status = code;
  const std::string_view phrase = line.size() > 4 ? line.substr(4) : std::string_view();
  if (phrase != http::reason_phrase(code)) {
    head.reason = phrase;
  } else if (PyUnicode_CheckExact(status)) {
    Py_XDECREF(std::exchange(g_usual_status.text, Py_NewRef(status)));
    g_usual_status.code = code;
  }
}

}  // namespace

WsgiAnswer::WsgiAnswer(std::shared_ptr<Application> application, server::EnvelopePtr&& envelope)
    : application_(std::move(application)), id_(envelope->id), envelope_(std::move(envelope)) {}

void WsgiAnswer::start(PyObject* status, PyObject* headers, PyObject* exc_info) {
  if (exc_info != Py_None) {
    if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
      fail_with(PyExc_TypeError, "exc_info must be what sys.exc_info() returns");
    }
    if (streaming_ || complete_) {  // too late to say something else
      PyObject* const error = PyTuple_GET_ITEM(exc_info, 1);
      PyErr_SetObject(PyTuple_GET_ITEM(exc_info, 0), error);
      throw py::error_already_set();
    }
  } else if (started_) {
    fail_with(PyExc_AssertionError, "start_response() was called before, and without exc_info");
  }
  if (!PyList_Check(headers)) {
    fail_with(PyExc_TypeError, "headers must be a list of (name, value) tuples, not " +
                                   std::string(Py_TYPE(headers)->tp_name));
  }
  http::ResponseHead& head = envelope_->head;
  head.clear();
  set_headers(head, headers);
  set_status_line(head, status);
  started_ = true;
}

void WsgiAnswer::complete(server::Command&& command) {
  complete_ = true;
  std::exchange(application_, nullptr)->send(std::move(command));
  if (body_ != nullptr) std::exchange(body_, nullptr)->lose();
}

void WsgiAnswer::send(const char* data, std::size_t size) {
  if (!started_) {
    fail_with(PyExc_AssertionError, "there is a body before start_response() was called");
  }
  if (!events().empty()) fail_with(PyExc_AssertionError, "an answer that topics feed has no body");
  if (complete_) fail_with(PyExc_ValueError, kTooLong);
  application_->wait_for_room();
  if (!streaming_) {
    const std::optional<std::uint64_t>& length = envelope_->head.content_length;
    if (length && *length == size) {  // all of it: head and body leave together
      envelope_->answer = std::string(data, size);
      return complete(server::Respond{std::move(envelope_)});
    }
    streaming_ = true;
    const int status = envelope_->head.status;
    if (!envelope_->request.is_head && status != 204 && status != 304) left_ = length;
    application_->send(server::StreamHead{id_, std::move(envelope_->head), length, {}, false});
    envelope_.reset();
  }
  const std::size_t sent = left_ && *left_ < size ? static_cast<std::size_t>(*left_) : size;
  if (left_) *left_ -= sent;
  unacknowledged_ += sent;
  application_->send(server::StreamData{id_, std::string(data, sent), false});
  if (sent == size) return;
  // PEP 3333: no more is sent, and it is an error.
  complete(server::StreamEnd{id_, {}});
  fail_with(PyExc_ValueError, kTooLong);
}

bool WsgiAnswer::write(PyObject* piece) {
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (!PyBytes_Check(piece)) {
    fail_with(PyExc_TypeError,
              "a WSGI application must give bytes, not " + std::string(Py_TYPE(piece)->tp_name));
  }
  if (PyBytes_AsStringAndSize(piece, &data, &size) != 0) throw py::error_already_set();
  if (size > 0) send(data, static_cast<std::size_t>(size));
  return !gone_;
}

bool WsgiAnswer::write_all(PyObject* sequence) {
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
  if (!started_) {
    fail_with(PyExc_AssertionError, "the application did not call start_response()");
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* const piece = PySequence_Fast_GET_ITEM(sequence, i);
    if (!PyBytes_Check(piece)) write(piece);  // raises
  }
  if (streaming_ || complete_) {
    for (Py_ssize_t i = 0; i < count; ++i) write(PySequence_Fast_GET_ITEM(sequence, i));
    end();
    return !gone_;
  }
  application_->wait_for_room();
  if (count == 1) {
    python::set_body(*envelope_, PySequence_Fast_GET_ITEM(sequence, 0));
    complete(server::Respond{std::move(envelope_)});
    return true;
  }
  auto* bytes = std::get_if<std::string>(&envelope_->answer);
  if (bytes == nullptr) bytes = &envelope_->answer.emplace<std::string>();
  bytes->clear();
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* const piece = PySequence_Fast_GET_ITEM(sequence, i);
    bytes->append(PyBytes_AS_STRING(piece), static_cast<std::size_t>(PyBytes_GET_SIZE(piece)));
  }
  complete(server::Respond{std::move(envelope_)});
  return true;
}

void WsgiAnswer::send_file(server::FileBody&& file) {
  if (!started_) {
    fail_with(PyExc_AssertionError, "the application did not call start_response()");
  }
  if (complete_) return;
  const std::optional<std::uint64_t>& promised =
      streaming_ ? left_ : envelope_->head.content_length;
  if (promised && *promised < file.length) file.length = *promised;
  if (streaming_) {
    if (left_) *left_ -= file.length;
    application_->send(server::StreamFile{id_, std::move(file)});
    return end();
  }
  envelope_->answer = std::move(file);
  complete(server::Respond{std::move(envelope_)});
}

std::string_view WsgiAnswer::events() const {
  if (!started_ || streaming_ || complete_ || envelope_->head.status != 200) return {};
  return envelope_->head.events;
}

void WsgiAnswer::begin_events(double seconds, std::string_view filler) {
  complete(server::StreamHead{id_, std::move(envelope_->head), {}, make_filler(seconds, filler)});
}

void WsgiAnswer::end() {
  if (complete_) return;
  if (!started_) {
    fail_with(PyExc_AssertionError, "the application did not call start_response()");
  }
  if (left_ && *left_ > 0) {
    fail_with(PyExc_ValueError, "the body is shorter than its Content-Length");
  }
  if (streaming_) return complete(server::StreamEnd{id_, {}});
  envelope_->answer = std::monostate();
  complete(server::Respond{std::move(envelope_)});
}

void WsgiAnswer::fail() {
  if (complete_) return;
  complete(server::Cut{id_});  // 500 where nothing has left
}

void WsgiAnswer::hint(PyObject* headers) {
  if (streaming_ || complete_) return;
  server::Inform hint{id_, {}};
  hint.head.status = 103;
  add_headers(hint.head, headers, true);
  application_->send(std::move(hint));
}

bool WsgiAnswer::wait_for_room() {
  if (complete_ || gone_ || unacknowledged_ == 0) return !gone_;
  server::StreamRoom room{id_, {}};
  std::future<bool> answer = room.answer.get_future();
  if (!application_->send(std::move(room))) return !(gone_ = true);
  application_->hurry();
  {
    const GilRelease release;
    gone_ = !answer.get();
  }
  unacknowledged_ = 0;
  return !gone_;
}

// --- the Python object --------------------------------------------------------------------------

namespace {

struct StartResponseObject {
  PyObject ob_base;
  vectorcallfunc vectorcall;
  WsgiAnswer answer;
};

PyTypeObject* g_start_response = nullptr;

constexpr std::array<const char*, 3> kNames{"status", "headers", "exc_info"};

// The arguments that are given by name, into their places.
bool take_named(PyObject* names, PyObject* const* values, std::size_t positional,
                std::array<PyObject*, 3>& into) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); ++i) {
    std::size_t place = positional;
    while (place < kNames.size() &&
           PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i), kNames[place]) != 0) {
      ++place;
    }
    if (place == kNames.size()) return false;
    into[place] = values[i];
  }
  return true;
}

PyObject* write(PyObject* self, PyObject* piece) {
  return shielded([&]() -> PyObject* {
    WsgiAnswer& answer = answer_of(self);
    const bool there = answer.write(piece) && (!answer.full() || answer.wait_for_room());
    if (!there) fail_with(PyExc_ConnectionResetError, "the client has gone");
    Py_RETURN_NONE;
  });
}

PyObject* call_start(PyObject* self, PyObject* const* arguments, std::size_t flagged,
                     PyObject* names) {
  const auto count = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
  // write(), but for a start_response() without its headers.
  if (count == 1 && names == nullptr && !PyUnicode_Check(arguments[0])) {
    return write(self, arguments[0]);
  }
  std::array<PyObject*, 3> given{nullptr, nullptr, Py_None};
  bool known = count <= given.size();
  if (known) std::copy_n(arguments, count, given.begin());
  if (known && names != nullptr) known = take_named(names, arguments + count, count, given);
  if (!known || given[0] == nullptr || given[1] == nullptr) {
    PyErr_SetString(PyExc_TypeError,
                    "start_response() takes status, headers and perhaps exc_info; write(), which "
                    "it returns, takes bytes");
    return nullptr;
  }
  return shielded([&] {
    answer_of(self).start(given[0], given[1], given[2]);
    return Py_NewRef(self);
  });
}

PyObject* call_hint(PyObject* self, PyObject* headers) {
  return shielded([&]() -> PyObject* {
    answer_of(self).hint(headers);
    Py_RETURN_NONE;
  });
}

void deallocate_start(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  reinterpret_cast<StartResponseObject*>(self)->answer.~WsgiAnswer();
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef g_start_methods[] = {
    {"early_hints", call_hint, METH_O, "Send 103 (Early Hints) with a list of (name, value)."},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef g_start_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(StartResponseObject, vectorcall), READONLY,
     nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot g_start_slots[] = {
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate_start)},
    {Py_tp_methods, g_start_methods},
    {Py_tp_members, g_start_members},
    {Py_tp_doc, const_cast<char*>("start_response() and write() of one WSGI request.")},
    {0, nullptr},
};

PyType_Spec g_start_spec = {
    "httpuv._core.StartResponse", sizeof(StartResponseObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_HAVE_VECTORCALL,
    g_start_slots};

}  // namespace

WsgiAnswer& answer_of(py::handle start_response) {
  return reinterpret_cast<StartResponseObject*>(start_response.ptr())->answer;
}

StartResponse StartResponses::take(std::shared_ptr<Application> application,
                                   server::EnvelopePtr&& envelope, PyObject* hints) {
  WsgiAnswer answer(std::move(application), std::move(envelope));
  if (hints != nullptr && Py_REFCNT(hints) == 1) {
    PyObject* const start = PyCFunction_GET_SELF(hints);
    if (Py_REFCNT(start) == 1) {
      answer_of(start) = std::move(answer);
      return {py::reinterpret_borrow<py::object>(start), py::reinterpret_borrow<py::object>(hints)};
    }
  }
  StartResponse result = std::move(spare_);
  // `hints` refers to `start`.
  if (result.start && Py_REFCNT(result.start.ptr()) == 2 && Py_REFCNT(result.hints.ptr()) == 1) {
    answer_of(result.start) = std::move(answer);
    return result;
  }
  result.start = stolen(g_start_response->tp_alloc(g_start_response, 0));
  auto* const start = reinterpret_cast<StartResponseObject*>(result.start.ptr());
  start->vectorcall = call_start;
  new (&start->answer) WsgiAnswer(std::move(answer));
  result.hints = stolen(PyCFunction_New(g_start_methods, result.start.ptr()));
  return result;
}

void register_start_response(py::module_& module) {
  g_start_response = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_start_spec));
  if (g_start_response == nullptr) throw py::error_already_set();
  module.attr("StartResponse") = py::handle(reinterpret_cast<PyObject*>(g_start_response));
}

}  // namespace httpuv::python
