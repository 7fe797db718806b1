// Small helpers around the C API, used by all that makes and reads Python objects.
//
// With the GIL held. Owns nothing. Python's errors are thrown as error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include <string_view>

namespace httpuv::python {

// A new reference that a call of the C API has returned; throws where it is null.
inline pybind11::object stolen(PyObject* object) {
  if (object == nullptr) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(object);
}

// For constants, which live as long as the process.
inline PyObject* interned(const char* text) {
  return PyUnicode_InternFromString(text);
}

inline pybind11::object bytes_of(std::string_view bytes) {
  return stolen(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
}

inline pybind11::object str_of(std::string_view utf8) {
  return stolen(PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), nullptr));
}

// Bytes of a client; each byte becomes the character of that number, as in WSGI, so that nothing is
// lost and nothing can fail.
inline pybind11::object latin1_of(std::string_view bytes) {
  return stolen(
      PyUnicode_DecodeLatin1(bytes.data(), static_cast<Py_ssize_t>(bytes.size()), nullptr));
}

inline void set_item(PyObject* dict, PyObject* key, PyObject* value) {
  if (PyDict_SetItem(dict, key, value) != 0) throw pybind11::error_already_set();
}

// The item, or null: without an exception for a missing one. A reference of our own, because
// another thread may drop the dict's.
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
