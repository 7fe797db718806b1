#include "python/runtime/callback_context.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

py::object checked(PyObject* object) {
  if (object == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(object);
}

}  // namespace

py::object CallbackContext::capture() {
  return checked(PyContext_CopyCurrent());
}

CallbackContext::CallbackContext(const py::object& base)
    : context_(checked(PyContext_Copy(base.ptr()))) {
  if (PyContext_Enter(context_.ptr()) != 0) throw py::error_already_set();
}

CallbackContext::~CallbackContext() {
  // It fails only if a callback has left a context that is not its own.
  if (PyContext_Exit(context_.ptr()) != 0) PyErr_WriteUnraisable(context_.ptr());
}

}  // namespace httpuv::python
