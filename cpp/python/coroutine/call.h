// A callback that is a coroutine function: each call starts its coroutine at once, if an asyncio
// loop runs the callbacks.
//
// With the GIL held, on any thread that runs callbacks.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// Adds the type AsyncCall: AsyncCall(function, disconnected), called with a request. `disconnected`
// is a class. Each request gets an instance of it, made without a call of __init__(), as
// "httpuv.disconnected". A call returns what the coroutine returned, its task if it waits, or the
// coroutine itself where no loop runs.
void register_call(pybind11::module_& module);

}  // namespace httpuv::python
