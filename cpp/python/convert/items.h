// Items of a dict, as references of our own: another thread may drop the dict's.
//
// Thread: any that runs Python. Ownership: the caller's. Failure: Python's errors are thrown as
// error_already_set.
#pragma once

#include <pybind11/pybind11.h>

namespace httpuv::python {

// The item, or null: without an exception for a missing one.
inline pybind11::object find_item(PyObject* dict, PyObject* key) {
#if PY_VERSION_HEX >= 0x030D0000
  PyObject* found = nullptr;
  if (PyDict_GetItemRef(dict, key, &found) < 0) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(found);
#else
  PyObject* const found = PyDict_GetItemWithError(dict, key);
  if (found == nullptr && PyErr_Occurred() != nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_borrow<pybind11::object>(found);
#endif
}

}  // namespace httpuv::python
