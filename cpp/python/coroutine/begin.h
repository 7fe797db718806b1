// Coroutines that begin before their task has its turn: one that never waits costs no turn of the
// loop at all, and no task.
//
// Since 3.12 asyncio can do this by itself (eager_start). Before, the first step is taken here, in
// the name of a task that goes on with the second (reserve.h).
//
// With the GIL held, on the thread of the loop. What the coroutine raises is thrown as
// error_already_set.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// The asyncio loop that is running on this thread; a null object without one.
pybind11::object running_loop();

// Begins a coroutine in the loop that is running here. Returns what it returned or, if it waits,
// its task.
pybind11::object begin_coroutine(const pybind11::object& coroutine, const pybind11::object& loop);

// Whether begin_coroutine() has returned a task.
bool is_task(pybind11::handle object);

void register_coroutines(pybind11::module_& module);

}  // namespace httpuv::python
