// Releasing and taking the GIL on threads that the exiting interpreter may end.
//
// What: until Python 3.13, a thread that asks for the GIL while the interpreter exits is ended by
//   pthread_exit(), which unwinds its C++ frames: without the GIL they would drop references, and a
//   destructor that asked for it would terminate the process. Here such a thread stops for good
//   instead, as CPython itself does since 3.14, and ends with the process.
// Thread: any that runs Python. Ownership: none. Failure: none.
#pragma once

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

namespace httpuv::python {

// Calls `run`, which calls into Python in a way that may give up the GIL for a moment: a callback
// of the application above all. The caller's own frames are not unwound by an exiting interpreter.
template <class Run>
decltype(auto) guarded(Run&& run) {
  try {
    return std::forward<Run>(run)();
  } catch (const std::exception&) {
    throw;
  } catch (...) {
    // A forced unwind. Its own name, abi::__forced_unwind, would bind a reference where there is no
    // object, which is undefined behaviour.
    while (true) ::pause();
  }
}

// Calls a Python object; raises what it raises.
template <class... Arguments>
pybind11::object call_python(pybind11::handle callable, Arguments&&... arguments) {
  constexpr std::size_t kCount = sizeof...(Arguments);
  // The slot before the first argument is the callee's to use (PY_VECTORCALL_ARGUMENTS_OFFSET).
  const std::array<pybind11::object, kCount> owned{
      pybind11::detail::object_or_cast(std::forward<Arguments>(arguments))...};
  std::array<PyObject*, kCount + 1> slots{};
  for (std::size_t i = 0; i < kCount; ++i) slots[i + 1] = owned[i].ptr();
  auto result = pybind11::reinterpret_steal<pybind11::object>(guarded([&] {
    return PyObject_Vectorcall(callable.ptr(), slots.data() + 1,
                               kCount | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
  }));
  if (!result) throw pybind11::error_already_set();
  return result;
}

// How often threads of this process have asked for the GIL through GilRelease, and waited for it.
struct GilWaits {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::uint64_t> nanoseconds{0};
};
inline GilWaits& gil_waits() {
  static GilWaits waits;
  return waits;
}

// Releases the GIL for its scope.
class GilRelease {
 public:
  GilRelease() : state_(PyEval_SaveThread()) {}
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;
  ~GilRelease() {
    const auto asked = std::chrono::steady_clock::now();
    guarded([this] { PyEval_RestoreThread(state_); });
    GilWaits& waits = gil_waits();
    waits.count.fetch_add(1, std::memory_order_relaxed);
    const std::chrono::nanoseconds waited = std::chrono::steady_clock::now() - asked;
    waits.nanoseconds.fetch_add(static_cast<std::uint64_t>(waited.count()),
                                std::memory_order_relaxed);
  }

 private:
  PyThreadState* state_;
};

}  // namespace httpuv::python
