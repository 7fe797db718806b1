// What an asyncio loop calls when the descriptor of a queue is readable: it runs the callbacks
// without a step through Python.
//
// What: the Python type HostReader(queue, loop, slow, failed, source). Called, it runs the queue as
//   long as its attribute `wakes` is the queue's: then no timer, deadline or end has changed.
//   Otherwise it calls slow(), which looks at all of them and sets `wakes` again (0: never the
//   queue's).
// Thread: the one of the loop, with the GIL held. Owner: the loop, from add_reader() on.
// Failure: what a callback raises goes to failed(); without that it is raised.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// The type, and adopt(source): from now on the dispatcher of this thread is that one. A reader with
// another source calls slow().
void register_host_reader(pybind11::module_& module);

}  // namespace httpuv::python
