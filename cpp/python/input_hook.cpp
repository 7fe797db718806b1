#include "python/input_hook.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdint>
#include <thread>
#include <utility>

#include "python/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Hook = int (*)();

// How long a signal waits for the prompt to be back in its own wait.
constexpr std::chrono::milliseconds kHandOver{20};

struct State {
  int input = -1;
  int fd = -1;
  PyObject* run = nullptr;  // null: there is nothing to do
  Hook before = nullptr;    // the hook that was there
  bool installed = false;
};
State g_state;  // by the GIL, and used by the main thread
std::atomic<bool> g_handing_over{false};

// Whether Ctrl-C was pressed and nobody has seen it yet. Nobody has afterwards, either.
bool interrupted() {
  if (PyOS_InterruptOccurred() == 0) return false;
  PyErr_SetInterrupt();
  return true;
}

// readline looks at signals only when one ends its own wait: has the one that ended ours come
// again, when it is back there.
void hand_over() {
  if (g_handing_over.exchange(true)) return;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread takes none: it inherits this
  std::thread([prompt = pthread_self()] {
    std::this_thread::sleep_for(kHandOver);
    g_handing_over = false;
    pthread_kill(prompt, SIGINT);
  }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Instead of a time: the prompt has read input that it has not used.
constexpr int kInputAhead = -2;

// Runs what waits. Returns milliseconds until there is more, or -1.
int run() {
  const auto function = py::reinterpret_borrow<py::object>(g_state.run);  // it may clear the hook
  PyObject* const result = guarded([&] { return PyObject_CallNoArgs(function.ptr()); });
  const bool timed = result != nullptr && result != Py_None;
  const double seconds = timed ? PyFloat_AsDouble(result) : -1;
  Py_XDECREF(result);
  if (PyErr_Occurred() != nullptr) {
    const bool again = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
    again ? PyErr_Clear() : PyErr_WriteUnraisable(function.ptr());
    if (again) PyErr_SetInterrupt();
    return 0;
  }
  if (seconds < 0) return timed ? kInputAhead : -1;
  return static_cast<int>(std::min(seconds * 1000 + 1, double{INT_MAX}));
}

enum class Waited { kInput, kWork, kSignal };

// With the GIL released.
Waited wait(int timeout_ms) {
  pollfd entries[] = {{g_state.input, POLLIN, 0}, {g_state.fd, POLLIN, 0}};
  const GilRelease release;
  if (::poll(entries, 2, timeout_ms) < 0) return Waited::kSignal;
  return entries[0].revents != 0 ? Waited::kInput : Waited::kWork;
}

// Until there is input, or a Ctrl-C to be seen. Whether it is that.
bool idle() {
  while (g_state.run != nullptr) {
    if (interrupted()) return true;
    const int timeout_ms = run();
    if (interrupted()) return true;
    if (timeout_ms == kInputAhead || g_state.run == nullptr || g_state.before != nullptr) {
      return false;
    }
    switch (wait(timeout_ms)) {
      case Waited::kInput:
        return false;
      case Waited::kWork:
        break;
      case Waited::kSignal:
        if (interrupted()) return true;
        if (PyErr_CheckSignals() != 0) PyErr_WriteUnraisable(nullptr);
    }
  }
  return false;
}

// What the prompt calls, again and again: readline without the GIL, right behind its own wait, and
// Python's newer prompt with it.
int hook() {
  const bool seen = errno == EINTR;  // the signal has ended the wait of readline, which looks next
  const bool held = PyGILState_Check() != 0;
  const PyGILState_STATE gil = PyGILState_Ensure();
  const bool leave = idle();
  const Hook before = g_state.before;
  PyGILState_Release(gil);
  if (leave && !held && !seen) hand_over();
  const int result = !leave && before != nullptr ? before() : 0;
  errno = 0;  // the next time it tells of the wait in between
  return result;
}

}  // namespace

void set_input_hook(int input, int fd, py::object run) {
  g_state.input = input;
  g_state.fd = fd;
  Py_XDECREF(std::exchange(g_state.run, run.release().ptr()));
  if (g_state.installed && PyOS_InputHook == hook) return;
  if (!g_state.installed) g_state.before = PyOS_InputHook;
  g_state.installed = true;
  PyOS_InputHook = hook;
}

void clear_input_hook() {
  Py_XDECREF(std::exchange(g_state.run, nullptr));
  if (!g_state.installed || PyOS_InputHook != hook) return;  // somebody calls it: it does nothing
  PyOS_InputHook = std::exchange(g_state.before, nullptr);
  g_state.installed = false;
}

}  // namespace httpuv::python
