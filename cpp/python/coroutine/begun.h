// What a task in reserve runs (reserve.h): a coroutine whose first step has been taken, or none
// yet.
//
// With the GIL held, on the thread of the loop. Owned by its task. Throws error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include "python/coroutine/reserve.h"

#ifdef HTTPUV_TASK_RESERVE

namespace httpuv::python {

struct BegunObject {
  PyObject ob_base;
  PyObject* loop;
  PyObject* task_name;  // that the task had when it was made
  PyObject* task;       // borrowed, while it is in reserve: the task owns this object
  PyObject* coroutine;  // null: in reserve, or finished
  PyObject* context;    // of the coroutine
  PyObject* parked;     // what the task waits for in reserve; null before its first step
  PyObject* yielded;    // what the first step has yielded, until the task has it
  PyObject* error;      // a CancelledError of the first step
  bool finished;
};

// A new one; the caller makes its task.
pybind11::object make_begun(const pybind11::object& loop, BegunObject*& begun);

// Which are in reserve, by their loop. Each is there until it is taken, or goes.
BegunObject* take_from_reserve(const pybind11::object& loop);
void put_into_reserve(BegunObject* begun);

bool is_done(PyObject* future);
// The task goes on, if it waits in reserve.
void go_on(const BegunObject& begun);
// One step of a coroutine in a context, or in the one that is entered. PYGEN_ERROR: Python's error
// is set.
PySendResult step(PyObject* coroutine, PyObject* context, PyObject* value, PyObject** result);
PySendResult step_here(PyObject* coroutine, PyObject* value, PyObject** result);

void register_begun();

}  // namespace httpuv::python

#endif
