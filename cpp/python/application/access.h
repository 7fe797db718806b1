// Records of the access log for Python, which logs them on a separate thread.
//
// Thread: with the GIL. Owner: Python's object. Failure: Python's exceptions.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

void register_access_records(pybind11::module_& module);

}  // namespace httpuv::python
