// A wrapper for the methods that CPython calls: no C++ exception leaves them.
//
// With the GIL held. Owns nothing. An exception of f() becomes Python's exception; the result is
// null then.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <new>

namespace httpuv::python {

// Calls f(); C++ exceptions become Python's.
template <class F>
PyObject* shielded(F&& f) noexcept {
  try {
    return f();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const pybind11::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

}  // namespace httpuv::python
