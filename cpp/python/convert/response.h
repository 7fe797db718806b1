// Converts the result of `call` to an answer for the core.
//
// With the GIL held. The plain shape (a dict with an int status, a dict of headers, and a str,
// bytes or no body) is converted here. The package's convert() in Python converts all other shapes.
// Wrong types and values raise TypeError or ValueError.
#pragma once

#include <pybind11/pybind11.h>

#include "server/message/message.h"

namespace httpuv::python {

// Both clear and fill the head and the answer of the envelope. from_plain() returns false if
// `result` has another shape; then both are unchanged.
bool from_plain(pybind11::handle result, server::Envelope& envelope);

// From (status, [(name, value), ...], bytes | None | File), which convert() makes of other shapes.
void from_normal(const pybind11::object& normal, server::Envelope& envelope);

// Adds (name, value) pairs, both str or both bytes, of any iterable. `without_framing`: leaves out
// Transfer-Encoding, which is the server's, instead of refusing it.
void add_headers(http::ResponseHead& head, PyObject* pairs, bool without_framing);
// The same for a head without fields, and without Transfer-Encoding.
void set_headers(http::ResponseHead& head, PyObject* pairs);
void set_status(http::ResponseHead& head, PyObject* status);
void set_body(server::Envelope& envelope, PyObject* bytes);

}  // namespace httpuv::python
