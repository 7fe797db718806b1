#include "python/queue/host_reader.h"

#include <structmember.h>

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include "python/queue/queue.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"
#include "python/runtime/shielded.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// Borrowed, and only compared: Python's side holds the dispatcher.
thread_local const PyObject* t_adopted = nullptr;

struct HostReaderObject {
  PyObject ob_base;
  vectorcallfunc vectorcall;
  unsigned long long wakes;
  std::shared_ptr<Queue> queue;
  PyObject* loop;
  PyObject* slow;
  PyObject* failed;
  PyObject* source;
};

HostReaderObject& reader_of(PyObject* self) {
  return *reinterpret_cast<HostReaderObject*>(self);
}

// Whether nothing is left to slow().
bool run_callbacks(const HostReaderObject& own) {
  Queue& queue = *own.queue;
  if (own.wakes != queue.wakes()) return false;
  if (own.source != Py_None && own.source != t_adopted) return false;
  const int ran = queue.run(0.0, 0, own.wakes, false, py::reinterpret_borrow<py::object>(own.loop));
  return own.wakes == queue.wakes() && (ran > 0 || queue.pending() == 0);
}

PyObject* call_reader(PyObject* self, PyObject* const*, std::size_t count, PyObject*) {
  if (PyVectorcall_NARGS(count) != 0) {
    PyErr_SetString(PyExc_TypeError, "takes no arguments");
    return nullptr;
  }
  return shielded([&]() -> PyObject* {
    HostReaderObject& own = reader_of(self);
    try {
      if (!run_callbacks(own)) call_python(own.slow);
    } catch (py::error_already_set& error) {
      if (own.failed == Py_None) throw;
      if (error.trace()) PyException_SetTraceback(error.value().ptr(), error.trace().ptr());
      call_python(own.failed, error.value());
    }
    Py_RETURN_NONE;
  });
}

PyObject* make_reader(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* queue = nullptr;
  PyObject* loop = nullptr;
  PyObject* slow = nullptr;
  PyObject* failed = nullptr;
  PyObject* source = nullptr;
  if (PyArg_ParseTuple(arguments, "OOOOO", &queue, &loop, &slow, &failed, &source) == 0) {
    return nullptr;
  }
  return shielded([&] {
    auto shared = py::handle(queue).cast<std::shared_ptr<Queue>>();
    PyObject* const self = stolen(type->tp_alloc(type, 0)).release().ptr();
    HostReaderObject& own = reader_of(self);
    own.vectorcall = call_reader;
    new (&own.queue) std::shared_ptr<Queue>(std::move(shared));
    own.loop = Py_NewRef(loop);
    own.slow = Py_NewRef(slow);
    own.failed = Py_NewRef(failed);
    own.source = Py_NewRef(source);
    return self;
  });
}

int traverse_reader(PyObject* self, visitproc visit, void* arg) {
  const HostReaderObject& own = reader_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(own.loop);
  Py_VISIT(own.slow);
  Py_VISIT(own.failed);
  Py_VISIT(own.source);
  return 0;
}

// It is not called any more.
int clear_reader(PyObject* self) {
  HostReaderObject& own = reader_of(self);
  Py_CLEAR(own.loop);
  Py_CLEAR(own.slow);
  Py_CLEAR(own.failed);
  Py_CLEAR(own.source);
  return 0;
}

void deallocate_reader(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear_reader(self);
  reader_of(self).queue.~shared_ptr();
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef g_reader_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(HostReaderObject, vectorcall), READONLY, nullptr},
    {"wakes", T_ULONGLONG, offsetof(HostReaderObject, wakes), 0, "What slow() has seen."},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot g_reader_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make_reader)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate_reader)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse_reader)},
    {Py_tp_clear, reinterpret_cast<void*>(clear_reader)},
    {Py_tp_members, g_reader_members},
    {Py_tp_doc, const_cast<char*>("What an asyncio loop calls to run callbacks.")},
    {0, nullptr},
};

PyType_Spec g_reader_spec = {"httpuv._core.HostReader", sizeof(HostReaderObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                             g_reader_slots};

}  // namespace

void register_host_reader(py::module_& module) {
  module.attr("HostReader") = stolen(PyType_FromSpec(&g_reader_spec));
  module.def(
      "adopt", [](const py::object& source) { t_adopted = source.ptr(); }, py::arg("source"));
}

}  // namespace httpuv::python
