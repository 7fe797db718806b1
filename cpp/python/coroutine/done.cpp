#include "python/coroutine/done.h"

#include <utility>

#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct DoneObject {
  PyObject ob_base;
  PyObject* value;  // null once it was awaited
};

PyTypeObject* g_done = nullptr;

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

}  // namespace

PyObject* make_done(PyObject* value) {
  static PyObject* g_spare = nullptr;  // the last one, which mostly nothing refers to any more
  if (g_spare == nullptr || Py_REFCNT(g_spare) > 1) {
    PyObject* const made = g_done->tp_alloc(g_done, 0);
    if (made == nullptr) return nullptr;
    Py_XDECREF(std::exchange(g_spare, made));
  }
  PyObject* const before =
      std::exchange(reinterpret_cast<DoneObject*>(g_spare)->value, Py_NewRef(value));
  PyObject* const done = Py_NewRef(g_spare);
  Py_XDECREF(before);  // the last: it may run any code
  return done;
}

void register_done(py::module_& module) {
  g_done = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_done_spec));
  if (g_done == nullptr) throw py::error_already_set();
  const py::handle done(reinterpret_cast<PyObject*>(g_done));
  py::module_::import("collections.abc").attr("Coroutine").attr("register")(done);
  module.attr("Done") = done;
}

}  // namespace httpuv::python
