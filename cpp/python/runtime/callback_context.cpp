#include "python/runtime/callback_context.h"

#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

py::object CallbackContext::capture() {
  return stolen(PyContext_CopyCurrent());
}

CallbackContext::CallbackContext(const py::object& base)
    : context_(stolen(PyContext_Copy(base.ptr()))) {
  if (PyContext_Enter(context_.ptr()) != 0) throw py::error_already_set();
}

CallbackContext::~CallbackContext() {
  // It fails only if a callback has left a context that is not its own.
  if (PyContext_Exit(context_.ptr()) != 0) PyErr_WriteUnraisable(context_.ptr());
}

}  // namespace httpuv::python
