#include "python/waking/signal_watch.h"

#include <pybind11/pybind11.h>
#include <unistd.h>

#include <atomic>

namespace py = pybind11;

namespace httpuv::python {

namespace {

std::atomic<int> g_set{-1};        // what is in the slot, if it is ours
std::atomic<unsigned> g_forks{1};  // which thread is the main one may be another in a child

struct Known {
  unsigned forks = 0;
  bool is_main = false;
};
thread_local Known t_known;

}  // namespace

bool SignalWatch::on_main_thread() {
  const unsigned forks = g_forks.load(std::memory_order_relaxed);
  if (t_known.forks != forks) {
    const py::module_ threading = py::module_::import("threading");
    const py::object main = threading.attr("main_thread")().attr("ident");
    t_known = {forks, main.equal(threading.attr("get_ident")())};
  }
  return t_known.is_main;
}

// What was in the slot. There is no function for it in C.
int SignalWatch::set(int fd) {
  const py::object set_wakeup_fd = py::module_::import("signal").attr("set_wakeup_fd");
  return set_wakeup_fd(fd, py::arg("warn_on_full_buffer") = false).cast<int>();
}

SignalWatch::SignalWatch(int fd) {
  if (!on_main_thread()) return;
  complete_ = false;
  if (fd < 0) return;
  const int before = set(fd);
  if (before >= 0) {
    set(before);
    return;
  }
  fd_ = fd;
  g_set.store(fd, std::memory_order_relaxed);
  complete_ = true;
}

SignalWatch::~SignalWatch() {
  if (fd_ < 0) return;
  g_set.store(-1, std::memory_order_relaxed);
  reset(fd_);
}

// Leaves alone what a signal handler of the program may have set instead.
void SignalWatch::reset(int ours) noexcept {
  const py::error_scope keep;
  try {
    const int there = set(-1);
    if (there >= 0 && there != ours) set(there);
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("the end of a wait for signals");
  }
}

void SignalWatch::forget() {
  g_forks.fetch_add(1, std::memory_order_relaxed);
  const int ours = g_set.exchange(-1, std::memory_order_relaxed);
  if (ours >= 0) reset(ours);
}

}  // namespace httpuv::python
