// The context variables of one callback (PEP 567): a copy of a base context, entered for the length
// of a scope, so that changes of a callback end with it. Copying costs the same for any number of
// variables.
//
// With the GIL held; scopes nest. The constructor throws error_already_set (MemoryError).
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

class CallbackContext {
 public:
  // A copy of the calling thread's context, to be the base of callbacks.
  static pybind11::object capture();

  explicit CallbackContext(const pybind11::object& base);
  ~CallbackContext();
  CallbackContext(const CallbackContext&) = delete;
  CallbackContext& operator=(const CallbackContext&) = delete;
  // The contextvars.Context of the scope.
  [[nodiscard]] const pybind11::object& object() const { return context_; }

  // The context of the innermost scope of this thread, for the one coroutine that goes on in it
  // after the scope. Null where that scope has given it away, or the context that is entered is
  // another one.
  static pybind11::object take(const PyObject* entered);

 private:
  pybind11::object context_;
  CallbackContext*& innermost_;  // this thread's: to look for it is a call
  CallbackContext* const outer_;
  bool taken_ = false;
};

}  // namespace httpuv::python
