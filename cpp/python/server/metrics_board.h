// The metrics of all workers of one command, for the process that looks after them.
//
// With the GIL held; pybind11 keeps it alive. The constructor raises OSError.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "server/observe/metrics_memory.h"

namespace httpuv::python {

class MetricsBoard {
 public:
  explicit MetricsBoard(int fd) {
    int error = 0;
    memory_ = server::MetricsMemory::watch(fd, &error);
    if (memory_ != nullptr) return;
    errno = error;
    PyErr_SetFromErrno(PyExc_OSError);
    throw pybind11::error_already_set();
  }

  // Seconds for which the Python of the worker with so many places from `first` on has been stuck.
  [[nodiscard]] double stuck(std::size_t first, std::size_t count) const {
    double longest = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      longest =
          std::max(longest, server::stuck_seconds(at(first).callbacks, at(i), server::steady_ns()));
    }
    return longest;
  }
  // Requests that were read in these places, ever.
  [[nodiscard]] std::uint64_t requests(std::size_t first, std::size_t count) const {
    std::uint64_t sum = 0;
    for (std::size_t i = first; i < first + count; ++i) sum += at(i).counters.requests.get();
    return sum;
  }
  // The worker has ended: its places may be given to another one.
  void leave(std::size_t first, std::size_t count) {
    static_cast<void>(at(first + count - 1));
    for (std::size_t i = first; i < first + count; ++i) memory_->leave(i);
  }

 private:
  [[nodiscard]] server::Metrics& at(std::size_t place) const {
    if (place >= server::MetricsMemory::kPlaces) throw pybind11::index_error("no such place");
    return memory_->at(place);
  }

  std::unique_ptr<server::MetricsMemory> memory_;
};

}  // namespace httpuv::python
