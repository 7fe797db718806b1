#include "python/gateway/exchange.h"

#include <new>
#include <optional>
#include <string_view>
#include <utility>

#include "http/message/response.h"
#include "python/answer/reply.h"
#include "python/application/application.h"
#include "python/convert/file.h"
#include "python/convert/response.h"
#include "python/coroutine/done.h"
#include "python/runtime/objects.h"
#include "python/runtime/shielded.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct EventKeys {
  PyObject* type = interned("type");
  PyObject* status = interned("status");
  PyObject* headers = interned("headers");
  PyObject* body = interned("body");
  PyObject* more_body = interned("more_body");
  PyObject* trailers = interned("trailers");
  PyObject* start = interned("http.response.start");
  PyObject* response_body = interned("http.response.body");
  PyObject* request = interned("http.request");
  PyObject* slow_send = interned("_send");
  PyObject* slow_receive = interned("_receive");
  PyObject* empty = PyBytes_FromStringAndSize("", 0);
};

const EventKeys& event_keys() {
  static const EventKeys* const kKeys = new EventKeys;
  return *kKeys;
}

// The items of a message; null where there is none. Found in one pass where the keys are the
// interned texts, as those of a literal are.
struct Message {
  explicit Message(PyObject* dict) {
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(dict, &position, &key, &value) != 0) {
      py::object* const item = PyUnicode_CheckExact(key) ? of(key) : nullptr;
      if (item != nullptr) {
        *item = py::reinterpret_borrow<py::object>(value);
      } else if (!PyUnicode_CheckExact(key) || PyUnicode_CHECK_INTERNED(key) == 0) {
        look_up(dict);
        return;
      }
    }
  }

  py::object type, status, headers, body, more_body, trailers;

 private:
  py::object* of(PyObject* key) {
    const EventKeys& k = event_keys();
    if (key == k.type) return &type;
    if (key == k.body) return &body;
    if (key == k.status) return &status;
    if (key == k.headers) return &headers;
    if (key == k.more_body) return &more_body;
    return key == k.trailers ? &trailers : nullptr;
  }
  void look_up(PyObject* dict) {
    const EventKeys& k = event_keys();
    for (PyObject* const key : {k.type, k.body, k.status, k.headers, k.more_body, k.trailers}) {
      *of(key) = find_item(dict, key);
    }
  }
};

bool equal(PyObject* text, PyObject* constant) {
  return text == constant ||
         (text != nullptr && PyUnicode_CheckExact(text) && PyUnicode_Compare(text, constant) == 0);
}

// --- the exchange -------------------------------------------------------------------------------

struct ExchangeObject {
  PyObject ob_base;
  Exchange exchange;
};

PyTypeObject* g_exchange = nullptr;

PyObject* call_slow(PyObject* self, PyObject* method, PyObject* argument) {
  exchange_of(self).slow = true;
  return argument == nullptr ? PyObject_CallMethodNoArgs(self, method)
                             : PyObject_CallMethodOneArg(self, method, argument);
}

void stash_head(Exchange& exchange, const Message& message) {
  if (!message.status) throw py::key_error("status");  // as a dict says it
  http::ResponseHead& head = exchange.envelope->head;
  head.clear();
  if (message.headers) set_headers(head, message.headers.ptr());
  set_status(head, message.status.ptr());
  exchange.state = Exchange::State::kHead;
}

PyObject* exchange_send(PyObject* self, PyObject* dict) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    const EventKeys& k = event_keys();
    if (!PyDict_CheckExact(dict)) return call_slow(self, k.slow_send, dict);
    const Message message(dict);
    if (exchange.state == Exchange::State::kNew && equal(message.type.ptr(), k.start)) {
      if (message.trailers && PyObject_IsTrue(message.trailers.ptr()) != 0) {
        return call_slow(self, k.slow_send, dict);
      }
      stash_head(exchange, message);
      return make_done(Py_None);
    }
    if (exchange.state == Exchange::State::kHead && equal(message.type.ptr(), k.response_body)) {
      const bool whole = !message.more_body || message.more_body.ptr() == Py_False;
      const py::object& body = message.body;
      if (whole && (!body || PyBytes_CheckExact(body.ptr())) && !exchange.registered &&
          exchange.envelope->head.events.empty()) {
        set_body(*exchange.envelope, body ? body.ptr() : k.empty);
        exchange.state = Exchange::State::kDone;
        exchange.application->send(server::Respond{std::move(exchange.envelope)});
        return make_done(Py_None);
      }
    }
    return call_slow(self, k.slow_send, dict);
  });
}

PyObject* exchange_receive(PyObject* self, PyObject*) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    const EventKeys& k = event_keys();
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
    stash_head(exchange_of(self), Message(message));
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

// Sends the stashed head; a body in pieces follows. With `as_is` it is not compressed.
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

// Sends the stashed head, for a body from topics: (seconds of silence, the filler).
PyObject* exchange_begin_events(PyObject* self, PyObject* arguments) {
  return shielded([&]() -> PyObject* {
    Exchange& exchange = exchange_of(self);
    double seconds = 0;
    PyObject* filler = nullptr;
    if (PyArg_ParseTuple(arguments, "dS", &seconds, &filler) == 0) return nullptr;
    const std::string_view bytes{PyBytes_AS_STRING(filler),
                                 static_cast<std::size_t>(PyBytes_GET_SIZE(filler))};
    exchange.state = Exchange::State::kStreaming;
    exchange.application->send(server::StreamHead{
        exchange.id, std::move(exchange.envelope->head), {}, make_filler(seconds, bytes)});
    exchange.envelope.reset();
    Py_RETURN_NONE;
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

PyObject* get_events(PyObject* self, void*) {
  const Exchange& exchange = exchange_of(self);
  if (!exchange.envelope) return PyUnicode_FromStringAndSize("", 0);
  return latin1_of(exchange.envelope->head.events).release().ptr();
}

PyObject* get_upload(PyObject* self, void*) {
  const Exchange& exchange = exchange_of(self);
  return Py_NewRef(exchange.upload ? exchange.upload.ptr() : Py_None);
}

PyObject* get_scope(PyObject* self, void*) {
  const Exchange& exchange = exchange_of(self);
  return Py_NewRef(exchange.scope ? exchange.scope.ptr() : Py_None);
}

PyMethodDef g_receive{"receive", exchange_receive, METH_NOARGS,
                      "The receive() of an ASGI application."};
PyMethodDef g_send{"send", exchange_send, METH_O, "The send() of an ASGI application."};

PyMethodDef g_exchange_methods[] = {
    g_receive,
    g_send,
    {"stash", exchange_stash, METH_O, "Check and keep status and headers of a message."},
    {"open", exchange_open, METH_NOARGS, "A Reply, which is told of events from now on."},
    {"begin", exchange_begin, METH_O, "Send the stashed head; a body in pieces follows."},
    {"begin_events", exchange_begin_events, METH_VARARGS,
     "Send the stashed head; events of topics follow."},
    {"respond", exchange_respond, METH_O, "Answer with the stashed head and a body."},
    {"amend", exchange_amend, METH_VARARGS, "Change the status of the stashed head, add fields."},
    {"finish", exchange_finish, METH_NOARGS, "The exchange is over."},
    {"field", exchange_field, METH_O, "A field of the stashed head."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef g_exchange_getters[] = {
    {"state", get_state, nullptr, "0: new, 1: head stashed, 2: streaming, 3: done.", nullptr},
    {"status", get_status, nullptr, "The stashed status.", nullptr},
    {"events_of", get_events, nullptr, "Which stream is to feed the stashed answer.", nullptr},
    {"scope", get_scope, nullptr, "The scope of the request.", nullptr},
    {"upload", get_upload, nullptr, "The Upload of a body that comes in pieces.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

// Objects that the application puts into its scope may refer to this one.
int exchange_traverse(PyObject* self, visitproc visit, void* arg) {
  const Exchange& exchange = exchange_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(exchange.scope.ptr());
  Py_VISIT(exchange.body.ptr());
  Py_VISIT(exchange.upload.ptr());
  return 0;
}

int exchange_clear(PyObject* self) {
  Exchange& exchange = exchange_of(self);
  const py::object scope = std::move(exchange.scope);
  const py::object body = std::move(exchange.body);
  const py::object upload = std::move(exchange.upload);
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

BoundExchange Exchanges::take(std::shared_ptr<Application> application,
                              server::EnvelopePtr&& envelope) {
  BoundExchange result = std::move(spare_);
  if (!result.object) {
    auto* const type = reinterpret_cast<PyTypeObject*>(class_.ptr());
    // Without its __init__(): the class does without one.
    result.object = stolen(type->tp_alloc(type, 0));
    new (&reinterpret_cast<ExchangeObject*>(result.object.ptr())->exchange) Exchange();
    result.receive = stolen(PyCFunction_New(&g_receive, result.object.ptr()));
    result.send = stolen(PyCFunction_New(&g_send, result.object.ptr()));
  }
  Exchange& exchange = exchange_of(result.object);
  exchange.application = std::move(application);
  exchange.id = envelope->id;
  exchange.envelope = std::move(envelope);
  exchange.state = Exchange::State::kNew;
  return result;
}

void Exchanges::give_back(BoundExchange&& done) {
  Exchange& exchange = exchange_of(done.object);
  // Both methods refer to the object.
  const bool free = Py_REFCNT(done.receive.ptr()) == 1 && Py_REFCNT(done.send.ptr()) == 1 &&
                    Py_REFCNT(done.object.ptr()) == 3;
  if (exchange.state != Exchange::State::kDone || exchange.slow || exchange.registered || !free) {
    return;
  }
  exchange.application.reset();
  exchange.scope = exchange.body = exchange.upload = py::object();
  spare_ = std::move(done);
}

Exchange& exchange_of(py::handle object) {
  return reinterpret_cast<ExchangeObject*>(object.ptr())->exchange;
}

void register_exchange(py::module_& module) {
  g_exchange = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_exchange_spec));
  if (g_exchange == nullptr) throw py::error_already_set();
  module.attr("Exchange") = py::handle(reinterpret_cast<PyObject*>(g_exchange));
}

}  // namespace httpuv::python
