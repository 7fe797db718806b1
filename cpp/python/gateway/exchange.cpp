#include "python/gateway/exchange.h"

#include <new>
#include <optional>
#include <utility>

#include "http/response.h"
#include "python/application.h"
#include "python/convert/file.h"
#include "python/convert/response.h"
#include "python/gateway/objects.h"
#include "python/gateway/shielded.h"
#include "python/reply.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct Keys {
  PyObject* type = PyUnicode_InternFromString("type");
  PyObject* status = PyUnicode_InternFromString("status");
  PyObject* headers = PyUnicode_InternFromString("headers");
  PyObject* body = PyUnicode_InternFromString("body");
  PyObject* more_body = PyUnicode_InternFromString("more_body");
  PyObject* trailers = PyUnicode_InternFromString("trailers");
  PyObject* start = PyUnicode_InternFromString("http.response.start");
  PyObject* response_body = PyUnicode_InternFromString("http.response.body");
  PyObject* request = PyUnicode_InternFromString("http.request");
  PyObject* slow_send = PyUnicode_InternFromString("_send");
  PyObject* slow_receive = PyUnicode_InternFromString("_receive");
  PyObject* empty = PyBytes_FromStringAndSize("", 0);
};

const Keys& keys() {
  static const Keys* const kKeys = new Keys;
  return *kKeys;
}

bool equal(PyObject* text, PyObject* constant) {
  return text == constant ||
         (text != nullptr && PyUnicode_CheckExact(text) && PyUnicode_Compare(text, constant) == 0);
}

PyObject* item(PyObject* dict, PyObject* key) {
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr && PyErr_Occurred() != nullptr) throw py::error_already_set();
  return found;
}

// --- an awaitable that is done: what send() and receive() return where nothing has to wait
// --------

struct DoneObject {
  PyObject ob_base;
  PyObject* value;  // null once it was awaited
};

PyTypeObject* g_done = nullptr;

PyObject* make_done(PyObject* value) {
  PyObject* const object = g_done->tp_alloc(g_done, 0);
  if (object != nullptr) reinterpret_cast<DoneObject*>(object)->value = Py_NewRef(value);
  return object;
}

void done_deallocate(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  Py_XDECREF(reinterpret_cast<DoneObject*>(self)->value);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* done_self(PyObject* self) {
  return Py_NewRef(self);
}

PyObject* done_await(PyObject* self, PyObject*) {
  return Py_NewRef(self);
}

PySendResult done_am_send(PyObject* self, PyObject*, PyObject** result) {
  auto* const done = reinterpret_cast<DoneObject*>(self);
  if (done->value == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    *result = nullptr;
    return PYGEN_ERROR;
  }
  *result = std::exchange(done->value, nullptr);
  return PYGEN_RETURN;
}

void set_stop_iteration(PyObject* value) {
  PyObject* const stop = PyObject_CallOneArg(PyExc_StopIteration, value);
  if (stop != nullptr) PyErr_SetObject(PyExc_StopIteration, stop);
  Py_XDECREF(stop);
}

PyObject* done_next(PyObject* self) {
  PyObject* value = nullptr;
  if (done_am_send(self, Py_None, &value) == PYGEN_RETURN) {
    set_stop_iteration(value);
    Py_DECREF(value);
  }
  return nullptr;
}

PyObject* done_send(PyObject* self, PyObject*) {
  return done_next(self);
}

PyObject* done_throw(PyObject* self, PyObject* arguments) {
  Py_CLEAR(reinterpret_cast<DoneObject*>(self)->value);
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* trace = nullptr;
  if (PyArg_UnpackTuple(arguments, "throw", 1, 3, &type, &value, &trace) == 0) return nullptr;
  if (PyExceptionInstance_Check(type)) {
    PyErr_SetObject(PyExceptionInstance_Class(type), type);
  } else {
    PyErr_SetObject(type, value == nullptr ? Py_None : value);
  }
  return nullptr;
}

PyObject* done_close(PyObject* self, PyObject*) {
  Py_CLEAR(reinterpret_cast<DoneObject*>(self)->value);
  Py_RETURN_NONE;
}

PyMethodDef g_done_methods[] = {
    {"send", done_send, METH_O, "As a coroutine's."},
    {"throw", done_throw, METH_VARARGS, "As a coroutine's."},
    {"close", done_close, METH_NOARGS, "As a coroutine's."},
    {"__await__", done_await, METH_NOARGS, "Itself."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot g_done_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(done_deallocate)},
    {Py_tp_methods, g_done_methods},
    {Py_am_await, reinterpret_cast<void*>(done_self)},
    {Py_am_send, reinterpret_cast<void*>(done_am_send)},
    {Py_tp_iter, reinterpret_cast<void*>(done_self)},
    {Py_tp_iternext, reinterpret_cast<void*>(done_next)},
    {Py_tp_doc, const_cast<char*>("A coroutine that is done: its value is there.")},
    {0, nullptr},
};

PyType_Spec g_done_spec = {"httpuv._core.Done", sizeof(DoneObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, g_done_slots};

// --- the exchange -------------------------------------------------------------------------------

struct ExchangeObject {
  PyObject ob_base;
  Exchange exchange;
};

PyTypeObject* g_exchange = nullptr;

PyObject* call_slow(PyObject* self, PyObject* method, PyObject* argument) {
  return argument == nullptr ? PyObject_CallMethodNoArgs(self, method)
                             : PyObject_CallMethodOneArg(self, method, argument);
}

void stash_head(Exchange& exchange, PyObject* message) {
  PyObject* const status = item(message, keys().status);
  if (status == nullptr) {
    throw py::key_error("status");  // as a dict says it
  }
  http::ResponseHead& head = exchange.envelope->head;
  head.clear();
  set_status(head, status);
  PyObject* const headers = item(message, keys().headers);
  if (headers != nullptr) add_headers(head, headers, true);
  exchange.state = Exchange::State::kHead;
}

PyObject* exchange_send(PyObject* self, PyObject* message) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    const Keys& k = keys();
    if (!PyDict_CheckExact(message)) return call_slow(self, k.slow_send, message);
    PyObject* const type = item(message, k.type);
    if (exchange.state == Exchange::State::kNew && equal(type, k.start)) {
      PyObject* const trailers = item(message, k.trailers);
      if (trailers != nullptr && PyObject_IsTrue(trailers) != 0) {
        return call_slow(self, k.slow_send, message);
      }
      stash_head(exchange, message);
      return make_done(Py_None);
    }
    if (exchange.state == Exchange::State::kHead && equal(type, k.response_body)) {
      PyObject* const more = item(message, k.more_body);
      PyObject* const body = item(message, k.body);
      const bool whole = more == nullptr || more == Py_False;
      if (whole && (body == nullptr || PyBytes_CheckExact(body)) && !exchange.registered) {
        set_body(*exchange.envelope, body == nullptr ? k.empty : body);
        exchange.state = Exchange::State::kDone;
        exchange.application->send(server::Respond{std::move(exchange.envelope)});
        return make_done(Py_None);
      }
    }
    return call_slow(self, k.slow_send, message);
  });
}

PyObject* exchange_receive(PyObject* self, PyObject*) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    const Keys& k = keys();
    if (!exchange.body || exchange.state == Exchange::State::kDone) {
      return call_slow(self, k.slow_receive, nullptr);
    }
    const py::object message = stolen(PyDict_New());
    set_item(message.ptr(), k.type, k.request);
    set_item(message.ptr(), k.body, exchange.body.ptr());
    set_item(message.ptr(), k.more_body, Py_False);
    exchange.body = py::object();
    return make_done(message.ptr());
  });
}

// For the Python class.

PyObject* exchange_stash(PyObject* self, PyObject* message) {
  return shielded([&]() -> PyObject* {
    stash_head(exchange_of(self), message);
    Py_RETURN_NONE;
  });
}

// A Reply for the exchange: from now on it is told of events.
PyObject* exchange_open(PyObject* self, PyObject*) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    exchange.registered = true;
    return py::cast(exchange.application->open_reply(exchange.id)).release().ptr();
  });
}

// Has the stashed head leave; a body in pieces follows. With `as_is` it is not compressed.
PyObject* exchange_begin(PyObject* self, PyObject* as_is) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    http::ResponseHead& head = exchange.envelope->head;
    const std::optional<std::uint64_t> length = head.content_length;
    exchange.state = Exchange::State::kStreaming;
    exchange.application->send(
        server::StreamHead{exchange.id, std::move(head), length, {}, PyObject_IsTrue(as_is) != 0});
    exchange.envelope.reset();
    return length ? PyLong_FromUnsignedLongLong(*length) : Py_NewRef(Py_None);
  });
}

// The whole answer: the stashed head, and bytes or a FilePart.
PyObject* exchange_respond(PyObject* self, PyObject* body) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    if (py::isinstance<FilePart>(body)) {
      exchange.envelope->answer = py::handle(body).cast<FilePart&>().take();
    } else {
      set_body(*exchange.envelope, body);
    }
    exchange.state = Exchange::State::kDone;
    exchange.application->send(server::Respond{std::move(exchange.envelope)});
    if (exchange.registered) exchange.application->answered(exchange.id);
    Py_RETURN_NONE;
  });
}

// Changes the stashed head: (status, [(name, value), ...]).
PyObject* exchange_amend(PyObject* self, PyObject* arguments) {
  return shielded([&]() -> PyObject* {
    http::ResponseHead& head = exchange_of(self).envelope->head;
    PyObject* status = nullptr;
    PyObject* headers = nullptr;
    if (PyArg_ParseTuple(arguments, "OO", &status, &headers) == 0) return nullptr;
    set_status(head, status);
    add_headers(head, headers, false);
    Py_RETURN_NONE;
  });
}

// The exchange is over, whatever was sent.
PyObject* exchange_finish(PyObject* self, PyObject*) {
  Exchange& exchange = exchange_of(self);
  exchange.state = Exchange::State::kDone;
  Py_RETURN_NONE;
}

// The first field of the stashed head with that name, "" without one.
PyObject* exchange_field(PyObject* self, PyObject* name) {
  return shielded([&]() -> PyObject* {
    const Exchange& exchange = exchange_of(self);
    if (!exchange.envelope) return PyUnicode_FromStringAndSize("", 0);
    const std::string field = py::handle(name).cast<std::string>();
    return latin1_of(exchange.envelope->head.get(field)).release().ptr();
  });
}

PyObject* get_state(PyObject* self, void*) {
  return PyLong_FromLong(static_cast<long>(exchange_of(self).state));
}

PyObject* get_status(PyObject* self, void*) {
  const Exchange& exchange = exchange_of(self);
  return PyLong_FromLong(exchange.envelope ? exchange.envelope->head.status : 0);
}

PyObject* get_upload(PyObject* self, void*) {
  const Exchange& exchange = exchange_of(self);
  return Py_NewRef(exchange.upload ? exchange.upload.ptr() : Py_None);
}

PyMethodDef g_exchange_methods[] = {
    {"receive", exchange_receive, METH_NOARGS, "The receive() of an ASGI application."},
    {"send", exchange_send, METH_O, "The send() of an ASGI application."},
    {"stash", exchange_stash, METH_O, "Check and keep status and headers of a message."},
    {"open", exchange_open, METH_NOARGS, "A Reply, which is told of events from now on."},
    {"begin", exchange_begin, METH_O, "Send the stashed head; a body in pieces follows."},
    {"respond", exchange_respond, METH_O, "Answer with the stashed head and a body."},
    {"amend", exchange_amend, METH_VARARGS, "Change the status of the stashed head, add fields."},
    {"finish", exchange_finish, METH_NOARGS, "The exchange is over."},
    {"field", exchange_field, METH_O, "A field of the stashed head."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_exchange_getters[] = {
    {"state", get_state, nullptr, "0: new, 1: head stashed, 2: streaming, 3: done.", nullptr},
    {"status", get_status, nullptr, "The stashed status.", nullptr},
    {"upload", get_upload, nullptr, "The Upload of a body that comes in pieces.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

int exchange_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

int exchange_clear(PyObject*) {
  return 0;
}

void exchange_deallocate(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  reinterpret_cast<ExchangeObject*>(self)->exchange.~Exchange();
  type->tp_free(self);
  Py_DECREF(type);
}

PyType_Slot g_exchange_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(exchange_deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(exchange_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(exchange_clear)},
    {Py_tp_methods, g_exchange_methods},
    {Py_tp_getset, g_exchange_getters},
    {Py_tp_doc, const_cast<char*>("One HTTP exchange of an ASGI application.")},
    {0, nullptr},
};

PyType_Spec g_exchange_spec = {"httpuv._core.Exchange", sizeof(ExchangeObject), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                               g_exchange_slots};

}  // namespace

py::object make_exchange(py::handle cls, std::shared_ptr<Application> application,
                         server::EnvelopePtr&& envelope) {
  auto* const type = reinterpret_cast<PyTypeObject*>(cls.ptr());
  // Without its __init__(): the class does without one.
  const py::object object = stolen(type->tp_alloc(type, 0));
  auto* const exchange =
      new (&reinterpret_cast<ExchangeObject*>(object.ptr())->exchange) Exchange();
  exchange->application = std::move(application);
  exchange->id = envelope->id;
  exchange->envelope = std::move(envelope);
  return object;
}

Exchange& exchange_of(py::handle object) {
  return reinterpret_cast<ExchangeObject*>(object.ptr())->exchange;
}

void register_exchange(py::module_& module) {
  g_done = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_done_spec));
  g_exchange = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_exchange_spec));
  if (g_done == nullptr || g_exchange == nullptr) throw py::error_already_set();
  const py::handle done(reinterpret_cast<PyObject*>(g_done));
  py::module_::import("collections.abc").attr("Coroutine").attr("register")(done);
  module.attr("Done") = done;
  module.attr("Exchange") = py::handle(reinterpret_cast<PyObject*>(g_exchange));
}

}  // namespace httpuv::python
