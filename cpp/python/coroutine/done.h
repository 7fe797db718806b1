// An awaitable that is already done: the result of a method that need not wait.
//
// With the GIL held, on any thread. Owned by the application. Awaited twice it raises RuntimeError,
// as a coroutine does.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// With that value; null, and Python's error is set, where there is no memory.
PyObject* make_done(PyObject* value);

void register_done(pybind11::module_& module);

}  // namespace httpuv::python
