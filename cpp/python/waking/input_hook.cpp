#include "python/waking/input_hook.h"

#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <utility>

#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Hook = int (*)();

// How long a signal waits for the prompt to be back in its own wait.
constexpr timespec kHandOver{0, 20'000'000};

struct State {
  int input = -1;
  int fd = -1;
  PyObject* run = nullptr;  // null: there is nothing to do
  Hook before = nullptr;    // the hook that was there
  bool installed = false;
};
State g_state;  // by the GIL, and used by the main thread

// A signal that must reach the prompt in its own wait. It is sent only if the hook was not called
// again in the meantime: otherwise the prompt has seen the signal, and this would be a second
// Ctrl-C.
struct HandOver {
  pthread_t prompt{};
  unsigned call = 0;
};
HandOver g_hand_over;                     // the thread's, while there is one
std::atomic<bool> g_handing_over{false};  // there is a thread
std::atomic<unsigned> g_calls{0};         // of the hook

// Whether Ctrl-C was pressed and Python has not handled it. The call does not change that.
bool interrupted() noexcept {
  if (PyOS_InterruptOccurred() == 0) return false;
  PyErr_SetInterrupt();
  return true;
}

void* deliver(void*) noexcept {
  nanosleep(&kHandOver, nullptr);
  const HandOver hand_over = g_hand_over;
  g_handing_over = false;
  if (g_calls == hand_over.call) pthread_kill(hand_over.prompt, SIGINT);
  return nullptr;
}

// readline and fgets() check for signals only when a signal ends their own wait. So the signal that
// ended our wait is sent again when they wait. Without a thread the next key press reveals it.
void hand_over() noexcept {
  if (g_handing_over.exchange(true)) return;
  g_hand_over = {pthread_self(), g_calls};
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // the thread takes none: it inherits this
  pthread_t thread{};
  if (pthread_create(&thread, nullptr, deliver, nullptr) == 0) {
    pthread_detach(thread);
  } else {
    g_handing_over = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Instead of a time: the prompt has read input that it has not used.
constexpr int kInputAhead = -2;

// Runs what waits. Returns milliseconds until there is more, or -1.
int run() noexcept {
  PyObject* const function = g_state.run;
  Py_INCREF(function);  // it may clear the hook
  PyObject* const result = guarded([&] { return PyObject_CallNoArgs(function); });
  const bool timed = result != nullptr && result != Py_None;
  const double seconds = timed ? PyFloat_AsDouble(result) : -1;
  Py_XDECREF(result);
  if (PyErr_Occurred() != nullptr) {
    const bool again = PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0;
    again ? PyErr_Clear() : PyErr_WriteUnraisable(function);
    if (again) PyErr_SetInterrupt();
    Py_DECREF(function);
    return 0;
  }
  Py_DECREF(function);
  if (seconds < 0) return timed ? kInputAhead : -1;
  return static_cast<int>(std::min(seconds * 1000 + 1, double{INT_MAX}));
}

enum class Waited { kInput, kWork, kSignal };

// With the GIL released.
Waited wait(int timeout_ms) noexcept {
  pollfd entries[] = {{g_state.input, POLLIN, 0}, {g_state.fd, POLLIN, 0}};
  const GilRelease release;
  if (::poll(entries, 2, timeout_ms) < 0) return Waited::kSignal;
  return entries[0].revents != 0 ? Waited::kInput : Waited::kWork;
}

// Until there is input, or a Ctrl-C to be seen. Whether it is that.
bool idle() noexcept {
  while (g_state.run != nullptr) {
    if (interrupted()) return true;
    const int timeout_ms = run();
    if (interrupted()) return true;
    if (timeout_ms == kInputAhead || g_state.run == nullptr) return false;
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

// The hook, which the prompt calls again and again: readline without the GIL, directly after its
// own wait, and Python's newer prompt with the GIL.
int hook() noexcept {
  ++g_calls;
  const bool seen = errno == EINTR;  // the signal has ended the wait of readline, which looks next
  const bool held = PyGILState_Check() != 0;
  const PyGILState_STATE gil = PyGILState_Ensure();
  const bool leave = idle();
  PyGILState_Release(gil);
  if (leave && !held && !seen) hand_over();
  errno = 0;  // the next time it tells of the wait in between
  return 0;
}

}  // namespace

bool set_input_hook(int input, int fd, py::object run) {
  g_state.input = input;
  g_state.fd = fd;
  Py_XDECREF(std::exchange(g_state.run, run.release().ptr()));
  if (g_state.installed && PyOS_InputHook == hook) return g_state.before != nullptr;
  g_state.before = PyOS_InputHook;
  g_state.installed = true;
  PyOS_InputHook = hook;
  return g_state.before != nullptr;
}

bool input_hook_displaced() {
  return g_state.installed && PyOS_InputHook != hook;
}

void clear_input_hook() {
  Py_XDECREF(std::exchange(g_state.run, nullptr));
  if (!g_state.installed || PyOS_InputHook != hook)
    return;  // another one calls it: it does nothing
  PyOS_InputHook = std::exchange(g_state.before, nullptr);
  g_state.installed = false;
}

}  // namespace httpuv::python
