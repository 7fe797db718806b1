#include "python/coroutine/reserve.h"

#ifdef HTTPUV_TASK_RESERVE

#include <optional>
#include <utility>

#include "python/coroutine/begun.h"
#include "python/coroutine/getter.h"
#include "python/runtime/callback_context.h"
#include "python/runtime/gil.h"
#include "python/runtime/objects.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

struct ReserveNames {
  PyObject* task_class;
  PyObject* unregister_task;
  PyObject* register_task;
  PyObject* current_tasks;  // from loops to tasks: what enter_task() and leave_task() change
  PyObject* cancelled_error;
  PyObject* log_pending = interned("_log_destroy_pending");
  std::optional<Getter> callbacks;
  std::optional<Getter> must_cancel;
  std::optional<Getter> name;
  PyObject* loop_keyword = PyTuple_Pack(1, interned("loop"));

  ReserveNames() {
    const py::module_ tasks = py::module_::import("asyncio.tasks");
    const auto take = [&](const char* name) {
      return tasks.attr(name).cast<py::object>().release().ptr();
    };
    task_class = take("Task");
    callbacks.emplace(task_class, "_callbacks");
    must_cancel.emplace(task_class, "_must_cancel");
    name.emplace(task_class, "get_name");
    unregister_task = take("_unregister_task");
    register_task = take("_register_task");
    current_tasks = take("_current_tasks");
    cancelled_error =
        py::module_::import("asyncio").attr("CancelledError").cast<py::object>().release().ptr();
  }
};

const ReserveNames& reserve_names() {
  static const ReserveNames* const kNames = new ReserveNames;
  return *kNames;
}

// A task that asyncio does not list, and its coroutine.
py::object make_task(const py::object& loop, BegunObject*& begun) {
  const ReserveNames& a = reserve_names();
  const py::object object = make_begun(loop, begun);
  // In an empty context: otherwise it would hold the variables of the first user.
  const py::object context = stolen(PyContext_New());
  PyObject* const arguments[] = {object.ptr(), loop.ptr()};
  if (PyContext_Enter(context.ptr()) != 0) throw py::error_already_set();
  PyObject* const made = PyObject_Vectorcall(a.task_class, arguments, 1, a.loop_keyword);
  PyContext_Exit(context.ptr());
  py::object task = stolen(made);
  begun->task = task.ptr();
  begun->task_name = (*a.name)(task.ptr()).release().ptr();
  if (PyObject_SetAttr(task.ptr(), a.log_pending, Py_False) != 0) throw py::error_already_set();
  call_python(a.unregister_task, task);
  return task;
}

py::object take_task(const py::object& loop, BegunObject*& begun) {
  begun = take_from_reserve(loop);
  if (begun == nullptr) return make_task(loop, begun);
  auto task = py::reinterpret_borrow<py::object>(begun->task);
  return is_done(task.ptr()) ? make_task(loop, begun) : task;
}

// Whether a first step has left its task unchanged.
bool is_as_new(PyObject* task, const BegunObject& begun, Py_ssize_t references) {
  const ReserveNames& a = reserve_names();
  PyObject* const* const attributes = _PyObject_GetDictPtr(task);
  return Py_REFCNT(task) == references && *PyObject_GET_WEAKREFS_LISTPTR(task) == nullptr &&
         (attributes == nullptr || *attributes == nullptr) &&
         (*a.callbacks)(task).ptr() == Py_None && (*a.must_cancel)(task).ptr() == Py_False &&
         (*a.name)(task).ptr() == begun.task_name &&
         (begun.parked == nullptr || !is_done(begun.parked));
}

// Sets the current task of a loop for a scope; see "Extending asyncio" in its manual.
class CurrentTask {
 public:
  CurrentTask(const py::object& loop, PyObject* task) : loop_(loop) {
    PyObject* const tasks = reserve_names().current_tasks;
    if (PyDict_GET_SIZE(tasks) > 0) outer_ = find_item(tasks, loop.ptr());
    set_item(tasks, loop.ptr(), task);
  }
  CurrentTask(const CurrentTask&) = delete;
  CurrentTask& operator=(const CurrentTask&) = delete;
  ~CurrentTask() {
    const py::error_scope kept;
    const int result =
        outer_ ? PyDict_SetItem(reserve_names().current_tasks, loop_.ptr(), outer_.ptr())
               : PyDict_DelItem(reserve_names().current_tasks, loop_.ptr());
    if (result != 0) PyErr_WriteUnraisable(loop_.ptr());
  }

 private:
  const py::object& loop_;
  py::object outer_;
};

}  // namespace

py::object begin_in_reserve(const py::object& coroutine, const py::object& loop) {
  const ReserveNames& a = reserve_names();
  py::object context = CallbackContext::take(PyThreadState_Get()->context);
  const bool entered = static_cast<bool>(context);
  if (!entered) context = stolen(PyContext_CopyCurrent());
  BegunObject* begun = nullptr;
  const py::object task = take_task(loop, begun);
  const Py_ssize_t references = Py_REFCNT(task.ptr());
  begun->coroutine = Py_NewRef(coroutine.ptr());
  begun->context = Py_NewRef(context.ptr());
  PyObject* value = nullptr;
  PySendResult status = PYGEN_ERROR;
  {
    const CurrentTask current(loop, task.ptr());
    status = entered ? step_here(coroutine.ptr(), Py_None, &value)
                     : step(coroutine.ptr(), context.ptr(), Py_None, &value);
  }
  bool waits = status == PYGEN_NEXT;
  std::optional<py::error_already_set> failure;
  if (status == PYGEN_ERROR) {
    failure.emplace();
    if (failure->matches(a.cancelled_error)) {  // it is the task that is cancelled
      begun->error = Py_NewRef(failure->value().ptr());
      waits = true;
    }
  }
  if (waits) {
    begun->yielded = value;
    if (PyObject_SetAttr(task.ptr(), a.log_pending, Py_True) != 0) throw py::error_already_set();
    call_python(a.register_task, task);
    go_on(*begun);
    return task;
  }
  py::object result = py::reinterpret_steal<py::object>(value);
  Py_CLEAR(begun->coroutine);
  Py_CLEAR(begun->context);
  if (is_as_new(task.ptr(), *begun, references)) {
    put_into_reserve(begun);
  } else {
    begun->finished = true;
    go_on(*begun);
  }
  if (failure) throw py::error_already_set(std::move(*failure));
  return result;
}

}  // namespace httpuv::python

#endif
