// A message of a WebSocket as Python's object.
//
// With the GIL held; any thread that runs callbacks. Owns nothing: the message's memory is used
// again. Python's errors are thrown as error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include "websocket/message.h"

namespace httpuv::python {

// A str or bytes. The payload is copied once; the str of a long message that is not ASCII is
// decoded from a copy of its pieces.
pybind11::object received(websocket::Message&& message, bool text);

}  // namespace httpuv::python
