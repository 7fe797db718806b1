// Tasks in reserve, for coroutines that begin at once where asyncio cannot do that (before 3.12).
//
// A task is made of a separate coroutine that waits. The coroutine to begin takes its first step
// in the name of that task. If the step ends it, and has left no trace on the task, that is as new
// and stays in reserve: making a task costs more than most first steps. If it waits, the task goes
// on with the second step. While it is in reserve nothing knows of the task, nor keeps it: it waits
// for a future that only the two know, until the garbage collector finds them.
//
// With the GIL held, on the thread of the loop. Throws error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#if PY_VERSION_HEX < 0x030C0000
#define HTTPUV_TASK_RESERVE 1

namespace httpuv::python {

// As begin_coroutine().
pybind11::object begin_in_reserve(const pybind11::object& coroutine, const pybind11::object& loop);

}  // namespace httpuv::python

#endif
