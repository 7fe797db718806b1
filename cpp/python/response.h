// Turns what `call` returned into an answer for the core.
//
// With the GIL held. The plain shape - a dict with an int status, a dict of headers and a str,
// bytes or no body - is converted here; anything else goes through the package's own convert(),
// which knows all shapes. What is wrong with either is raised as TypeError or ValueError.
#pragma once

#include <pybind11/pybind11.h>

#include "server/message.h"

namespace httpuv::python {

// Both fill in head and answer of the envelope, which are cleared. from_plain() is false when
// `result` is not of the plain shape; then both are as they were.
bool from_plain(pybind11::handle result, server::Envelope& envelope);

// From (status, [(name, value), ...], bytes | None | File), which convert() makes of other shapes.
void from_normal(const pybind11::object& normal, server::Envelope& envelope);

}  // namespace httpuv::python
