// An attribute of objects of a class, or a method without arguments, read without a look-up: what a
// class written in C has for it is called itself. A first step of a coroutine reads five of them.
//
// With the GIL held. Owned by constants that live as long as the process. Throws error_already_set.
#pragma once

#include <pybind11/pybind11.h>

#include "python/runtime/objects.h"

namespace httpuv::python {

class Getter {
 public:
  // `type` stays alive.
  Getter(PyObject* type, const char* name)
      : type_(reinterpret_cast<PyTypeObject*>(type)), name_(interned(name)) {
    const pybind11::object found = stolen(PyObject_GetAttr(type, name_));
    PyObject* const descriptor = found.ptr();
    if (Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) {
      const PyMethodDef* const method =
          reinterpret_cast<PyMethodDescrObject*>(descriptor)->d_method;
      if (method->ml_flags == METH_NOARGS) method_ = method->ml_meth;
    } else if (Py_IS_TYPE(descriptor, &PyGetSetDescr_Type)) {
      attribute_ = reinterpret_cast<PyGetSetDescrObject*>(descriptor)->d_getset;
    }
    is_method_ = PyCallable_Check(descriptor) != 0;
  }

  pybind11::object operator()(PyObject* object) const {
    if (Py_IS_TYPE(object, type_)) {
      if (method_ != nullptr) return stolen(method_(object, nullptr));
      if (attribute_ != nullptr) return stolen(attribute_->get(object, attribute_->closure));
    }
    return stolen(is_method_ ? PyObject_CallMethodNoArgs(object, name_)
                             : PyObject_GetAttr(object, name_));
  }

 private:
  PyTypeObject* const type_;
  PyObject* const name_;
  bool is_method_ = false;
  PyCFunction method_ = nullptr;
  const PyGetSetDef* attribute_ = nullptr;
};

}  // namespace httpuv::python
