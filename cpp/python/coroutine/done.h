// An awaitable that is done: what a method gives back to a coroutine that awaits it, where nothing
// has to wait.
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
