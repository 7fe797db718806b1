// Copies the bytes of objects that have the buffer protocol: bytes, bytearray, memoryview, arrays.
//
// With the GIL held.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace httpuv::python {

// Replaces the content of `out`. `what` names the value in messages, as in "body". Raises TypeError
// when the object has no buffer, or one of references to other objects (numpy's dtype=object):
// their addresses are no content.
void copy_buffer(pybind11::handle object, const char* what, std::string& out);

// The same as bytes, for the Python layer.
pybind11::bytes to_bytes(pybind11::handle object, const char* what);

}  // namespace httpuv::python
