#include "python/coroutine/begun.h"

#ifdef HTTPUV_TASK_RESERVE

#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "python/coroutine/getter.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

PyTypeObject* g_begun = nullptr;

struct BegunNames {
  PyObject* cancelled_error;
  PyObject* create_future = interned("create_future");
  PyObject* blocking = interned("_asyncio_future_blocking");
  PyTypeObject* task;
  std::optional<Getter> task_done;
  std::optional<Getter> future_done;
  PyObject* set_result = interned("set_result");
  PyObject* throw_name = interned("throw");
  PyObject* close = interned("close");

  BegunNames() {
    const py::module_ exceptions = py::module_::import("asyncio.exceptions");
    cancelled_error = exceptions.attr("CancelledError").cast<py::object>().release().ptr();
    const py::module_ asyncio = py::module_::import("asyncio");
    task = reinterpret_cast<PyTypeObject*>(asyncio.attr("Task").cast<py::object>().release().ptr());
    task_done.emplace(reinterpret_cast<PyObject*>(task), "done");
    future_done.emplace(asyncio.attr("Future").ptr(), "done");
  }
};

const BegunNames& begun_names() {
  static const BegunNames* const kNames = new BegunNames;
  return *kNames;
}

// --- objects in reserve: borrowed, each removes itself before it is destroyed -------------------

std::array<BegunObject*, 16> g_reserve{};

BegunObject*& place_of(const PyObject* loop) {
  constexpr unsigned kAlignment = 5;  // the lowest bits of addresses are equal
  return g_reserve[(reinterpret_cast<std::uintptr_t>(loop) >> kAlignment) % g_reserve.size()];
}

void leave_reserve(const BegunObject* begun) {
  if (BegunObject*& place = place_of(begun->loop); place == begun) place = nullptr;
}

BegunObject& begun_of(PyObject* self) {
  return *reinterpret_cast<BegunObject*>(self);
}

// --- the coroutine of the task ------------------------------------------------------------------

PySendResult park(BegunObject& begun, PyObject** result) {
  const BegunNames& a = begun_names();
  PyObject* const future = PyObject_CallMethodNoArgs(begun.loop, a.create_future);
  if (future == nullptr) return PYGEN_ERROR;
  if (PyObject_SetAttr(future, a.blocking, Py_True) != 0) {
    Py_DECREF(future);
    return PYGEN_ERROR;
  }
  begun.parked = Py_NewRef(future);
  *result = future;
  return PYGEN_NEXT;
}

void raise_again(PyObject* error) {
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
}

PySendResult begun_am_send(PyObject* self, PyObject* value, PyObject** result) {
  BegunObject& begun = begun_of(self);
  *result = nullptr;
  if (begun.finished) {
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
  }
  if (begun.coroutine == nullptr) return park(begun, result);
  if (begun.error != nullptr) {
    raise_again(begun.error);
    return PYGEN_ERROR;
  }
  if (begun.yielded != nullptr) {
    *result = std::exchange(begun.yielded, nullptr);
    return PYGEN_NEXT;
  }
  return step(begun.coroutine, begun.context, value, result);
}

PyObject* begun_send(PyObject* self, PyObject* value) {
  PyObject* result = nullptr;
  switch (begun_am_send(self, value, &result)) {
    case PYGEN_NEXT:
      return result;
    case PYGEN_RETURN: {
      PyObject* const stop = PyObject_CallOneArg(PyExc_StopIteration, result);
      if (stop != nullptr) PyErr_SetObject(PyExc_StopIteration, stop);
      Py_XDECREF(stop);
      Py_DECREF(result);
      return nullptr;
    }
    case PYGEN_ERROR:
      break;
  }
  return nullptr;
}

// Of asyncio: with one exception.
PyObject* begun_throw(PyObject* self, PyObject* error) {
  const BegunNames& a = begun_names();
  BegunObject& begun = begun_of(self);
  if (begun.finished || begun.coroutine == nullptr) {  // cancelled in reserve
    begun.finished ? PyErr_SetNone(PyExc_StopIteration) : raise_again(error);
    begun.finished = true;
    return nullptr;
  }
  if (begun.error != nullptr) {
    raise_again(begun.error);
    return nullptr;
  }
  if (PyObject* const yielded = std::exchange(begun.yielded, nullptr)) {
    // Cancelled before the task got its awaitable: cancels the awaitable, as the task would.
    if (PyErr_GivenExceptionMatches(error, a.cancelled_error) != 0 && yielded != Py_None) {
      PyObject* const cancelled = PyObject_CallMethod(yielded, "cancel", nullptr);
      if (cancelled == nullptr || cancelled == Py_True) {
        if (cancelled != nullptr) {
          Py_DECREF(cancelled);
          return yielded;
        }
        Py_DECREF(yielded);
        return nullptr;
      }
      Py_DECREF(cancelled);
    }
    Py_DECREF(yielded);
  }
  if (PyContext_Enter(begun.context) != 0) return nullptr;
  PyObject* result =
      guarded([&] { return PyObject_CallMethodOneArg(begun.coroutine, a.throw_name, error); });
  if (PyContext_Exit(begun.context) != 0) Py_CLEAR(result);
  return result;
}

PyObject* begun_close(PyObject* self, PyObject*) {
  BegunObject& begun = begun_of(self);
  if (begun.coroutine != nullptr) {
    return PyObject_CallMethodNoArgs(begun.coroutine, begun_names().close);
  }
  Py_RETURN_NONE;
}

PyObject* begun_await(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "only a task can go on with this coroutine");
  return nullptr;
}

// Name and stack are those of the coroutine: a task shows them.
PyObject* begun_get(PyObject* self, PyObject* name) {
  PyObject* const found = PyObject_GenericGetAttr(self, name);
  const BegunObject& begun = begun_of(self);
  if (found != nullptr || begun.coroutine == nullptr ||
      PyErr_ExceptionMatches(PyExc_AttributeError) == 0) {
    return found;
  }
  PyErr_Clear();
  return PyObject_GetAttr(begun.coroutine, name);
}

int begun_traverse(PyObject* self, visitproc visit, void* arg) {
  const BegunObject& begun = begun_of(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(begun.loop);
  Py_VISIT(begun.coroutine);
  Py_VISIT(begun.context);
  Py_VISIT(begun.parked);
  Py_VISIT(begun.yielded);
  Py_VISIT(begun.error);
  return 0;
}

int begun_clear(PyObject* self) {
  BegunObject& begun = begun_of(self);
  leave_reserve(&begun);
  Py_CLEAR(begun.coroutine);
  Py_CLEAR(begun.context);
  Py_CLEAR(begun.parked);
  Py_CLEAR(begun.yielded);
  Py_CLEAR(begun.error);
  return 0;
}

// Before the garbage collector clears it: removes it from the reserve.
void begun_finalize(PyObject* self) {
  leave_reserve(&begun_of(self));
}

void begun_deallocate(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  begun_clear(self);
  Py_CLEAR(begun_of(self).loop);
  Py_CLEAR(begun_of(self).task_name);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef g_begun_methods[] = {
    {"send", begun_send, METH_O, "As a coroutine's."},
    {"throw", begun_throw, METH_O, "As a coroutine's."},
    {"close", begun_close, METH_NOARGS, "As a coroutine's."},
    {"__await__", begun_await, METH_NOARGS, "Refused."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot g_begun_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(begun_deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(begun_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(begun_clear)},
    {Py_tp_finalize, reinterpret_cast<void*>(begun_finalize)},
    {Py_tp_getattro, reinterpret_cast<void*>(begun_get)},
    {Py_tp_methods, g_begun_methods},
    {Py_am_send, reinterpret_cast<void*>(begun_am_send)},
    {Py_tp_doc, const_cast<char*>("A coroutine that has begun before its task.")},
    {0, nullptr},
};

PyType_Spec g_begun_spec = {
    "httpuv._core.Begun", sizeof(BegunObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, g_begun_slots};

}  // namespace

bool is_done(PyObject* future) {
  const BegunNames& a = begun_names();
  return (PyObject_TypeCheck(future, a.task) != 0 ? *a.task_done : *a.future_done)(future).ptr() ==
         Py_True;
}

void go_on(const BegunObject& begun) {
  if (begun.parked == nullptr || is_done(begun.parked)) return;
  stolen(PyObject_CallMethodOneArg(begun.parked, begun_names().set_result, Py_None));
}

PySendResult step_here(PyObject* coroutine, PyObject* value, PyObject** result) {
  return guarded([&] { return PyIter_Send(coroutine, value, result); });
}

PySendResult step(PyObject* coroutine, PyObject* context, PyObject* value, PyObject** result) {
  if (PyContext_Enter(context) != 0) return PYGEN_ERROR;
  const PySendResult status = step_here(coroutine, value, result);
  if (PyContext_Exit(context) == 0) return status;
  Py_CLEAR(*result);
  return PYGEN_ERROR;
}

py::object make_begun(const py::object& loop, BegunObject*& begun) {
  py::object object = stolen(g_begun->tp_alloc(g_begun, 0));
  begun = &begun_of(object.ptr());
  begun->loop = Py_NewRef(loop.ptr());
  return object;
}

BegunObject* take_from_reserve(const py::object& loop) {
  BegunObject*& place = place_of(loop.ptr());
  if (place == nullptr || place->loop != loop.ptr()) return nullptr;
  return std::exchange(place, nullptr);
}

void put_into_reserve(BegunObject* begun) {
  place_of(begun->loop) = begun;
}

void register_begun() {
  g_begun = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&g_begun_spec));
  if (g_begun == nullptr) throw py::error_already_set();
  const py::handle begun(reinterpret_cast<PyObject*>(g_begun));
  py::module_::import("collections.abc").attr("Coroutine").attr("register")(begun);
}

}  // namespace httpuv::python

#endif
