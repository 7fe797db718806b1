// Coroutines that start at once: a coroutine that never waits costs no iteration of the loop and no
// task.
//
// Since Python 3.12 asyncio does this by itself (eager_start). Before, this code runs the first
// step as a task, which goes on with the second step (reserve.h).
//
// With the GIL held, on the thread of the loop. Exceptions of the coroutine are thrown as
// error_already_set.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// The asyncio loop that runs on this thread; a null object without one.
pybind11::object running_loop();

// In its scope the loop of this thread stays the same, so that running_loop() asks once, or never
// if `loop` is not null: on Python 3.11 each question is a system call, getpid(2).
class SameLoop {
 public:
  explicit SameLoop(const pybind11::object& loop);
  ~SameLoop();
  SameLoop(const SameLoop&) = delete;
  SameLoop& operator=(const SameLoop&) = delete;

 private:
  friend pybind11::object running_loop();
  SameLoop* const outer_;
  pybind11::object loop_;
  bool asked_;
};

// Starts a coroutine in the loop that runs here. Returns its result, or its task if it waits.
pybind11::object begin_coroutine(const pybind11::object& coroutine, const pybind11::object& loop);

// Whether begin_coroutine() has returned a task.
bool is_task(pybind11::handle object);

void register_coroutines(pybind11::module_& module);

}  // namespace httpuv::python
