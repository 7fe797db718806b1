#include "python/coroutine/call.h"

#include <structmember.h>

#include <cstddef>

#include "python/coroutine/begin.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"
#include "python/runtime/shielded.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct CallObject {
  PyObject ob_base;
  vectorcallfunc vectorcall;
  PyObject* function;
  PyTypeObject* disconnected;
};

PyObject* key() {
  static PyObject* const kKey = interned("httpuv.disconnected");
  return kKey;
}

PyObject* call(PyObject* self, PyObject* const* arguments, std::size_t count, PyObject* keywords) {
  if (PyVectorcall_NARGS(count) != 1 || keywords != nullptr || !PyDict_Check(arguments[0])) {
    PyErr_SetString(PyExc_TypeError, "takes a request, which is a dict");
    return nullptr;
  }
  return shielded([&] {
    const auto& own = *reinterpret_cast<CallObject*>(self);
    PyObject* const request = arguments[0];
    const int known = PyDict_Contains(request, key());
    if (known < 0) throw py::error_already_set();
    if (known == 0) {
      set_item(request, key(), stolen(own.disconnected->tp_alloc(own.disconnected, 0)).ptr());
    }
    py::object result = call_python(own.function, py::reinterpret_borrow<py::object>(request));
    if (!PyCoro_CheckExact(result.ptr())) return result.release().ptr();
    const py::object loop = running_loop();
    if (!loop) return result.release().ptr();
    return begin_coroutine(result, loop).release().ptr();
  });
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
  PyObject* function = nullptr;
  PyObject* disconnected = nullptr;
  if (PyArg_ParseTuple(arguments, "OO!", &function, &PyType_Type, &disconnected) == 0) {
    return nullptr;
  }
  PyObject* const self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  auto& own = *reinterpret_cast<CallObject*>(self);
  own.vectorcall = call;
  own.function = Py_NewRef(function);
  own.disconnected = reinterpret_cast<PyTypeObject*>(Py_NewRef(disconnected));
  return self;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const auto& own = *reinterpret_cast<CallObject*>(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(own.function);
  Py_VISIT(own.disconnected);
  return 0;
}

int clear(PyObject* self) {
  auto& own = *reinterpret_cast<CallObject*>(self);
  Py_CLEAR(own.function);
  Py_CLEAR(own.disconnected);
  return 0;
}

void deallocate_call(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef g_call_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(CallObject, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot g_call_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
    {Py_tp_dealloc, reinterpret_cast<void*>(deallocate_call)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_members, g_call_members},
    {Py_tp_doc, const_cast<char*>("A callback that is a coroutine function.")},
    {0, nullptr},
};

PyType_Spec g_call_spec = {"httpuv._core.AsyncCall", sizeof(CallObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL,
                           g_call_slots};

}  // namespace

void register_call(py::module_& module) {
  PyObject* const type = PyType_FromSpec(&g_call_spec);
  if (type == nullptr) throw py::error_already_set();
  module.attr("AsyncCall") = py::reinterpret_steal<py::object>(type);
}

}  // namespace httpuv::python
