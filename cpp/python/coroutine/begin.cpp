#include "python/coroutine/begin.h"

#include <utility>

#include "python/coroutine/begun.h"
#include "python/coroutine/call.h"
#include "python/coroutine/done.h"
#include "python/coroutine/reserve.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct TaskNames {
  PyObject* running_loop;  // _get_running_loop(): it does not raise if there is none
  PyTypeObject* task;
  PyObject* keywords = PyTuple_New(2);
  PyObject* done = interned("done");
  PyObject* cancelled = interned("cancelled");
  PyObject* result = interned("result");

  TaskNames() {
    const py::module_ module = py::module_::import("asyncio");
    running_loop = module.attr("_get_running_loop").cast<py::object>().release().ptr();
    task = reinterpret_cast<PyTypeObject*>(module.attr("Task").cast<py::object>().release().ptr());
    PyTuple_SET_ITEM(keywords, 0, interned("loop"));
    PyTuple_SET_ITEM(keywords, 1, interned("eager_start"));
  }
};

const TaskNames& task_names() {
  static const TaskNames* const kNames = new TaskNames;
  return *kNames;
}

thread_local SameLoop* t_same = nullptr;

}  // namespace

SameLoop::SameLoop(const py::object& loop)
    : outer_(std::exchange(t_same, this)), loop_(loop), asked_(loop) {}

SameLoop::~SameLoop() {
  t_same = outer_;
}

py::object running_loop() {
  if (t_same != nullptr && t_same->asked_) return t_same->loop_;
  py::object loop = stolen(PyObject_CallNoArgs(task_names().running_loop));
  if (loop.is_none()) loop = py::object();
  if (t_same != nullptr) {
    t_same->loop_ = loop;
    t_same->asked_ = true;
  }
  return loop;
}

bool is_task(py::handle object) {
  return PyObject_TypeCheck(object.ptr(), task_names().task) != 0;
}

#ifdef HTTPUV_TASK_RESERVE

py::object begin_coroutine(const py::object& coroutine, const py::object& loop) {
  return begin_in_reserve(coroutine, loop);
}

#else

py::object begin_coroutine(const py::object& coroutine, const py::object& loop) {
  const TaskNames& a = task_names();
  PyObject* const arguments[] = {coroutine.ptr(), loop.ptr(), Py_True};
  py::object task = stolen(guarded([&] {
    return PyObject_Vectorcall(reinterpret_cast<PyObject*>(a.task), arguments, 1, a.keywords);
  }));
  const auto says = [&](PyObject* method) {
    return stolen(PyObject_CallMethodNoArgs(task.ptr(), method)).ptr() == Py_True;
  };
  if (!says(a.done) || says(a.cancelled)) return task;
  return stolen(PyObject_CallMethodNoArgs(task.ptr(), a.result));
}

#endif

void register_coroutines(py::module_& module) {
#ifdef HTTPUV_TASK_RESERVE
  register_begun();
#endif
  register_done(module);
  register_call(module);
  module.def("begin_coroutine", &begin_coroutine, py::arg("coroutine"), py::arg("loop"));
}

}  // namespace httpuv::python
