#include "python/runtime/callback_context.h"

#include <utility>

#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

py::object CallbackContext::capture() {
  return stolen(PyContext_CopyCurrent());
}

namespace {
thread_local CallbackContext* t_innermost_context = nullptr;
}  // namespace

CallbackContext::CallbackContext(const py::object& base)
    : context_(stolen(PyContext_Copy(base.ptr()))),
      innermost_(t_innermost_context),
      outer_(innermost_) {
  if (PyContext_Enter(context_.ptr()) != 0) throw py::error_already_set();
  innermost_ = this;
}

py::object CallbackContext::take(const PyObject* entered) {
  CallbackContext* const here = t_innermost_context;
  if (here == nullptr || here->context_.ptr() != entered) return {};
  return std::exchange(here->taken_, true) ? py::object() : here->context_;
}

CallbackContext::~CallbackContext() {
  innermost_ = outer_;
  // It fails only if a callback has left a context that is not its own.
  if (PyContext_Exit(context_.ptr()) != 0) PyErr_WriteUnraisable(context_.ptr());
}

}  // namespace httpuv::python
