// Measures a callback for the metrics, from its construction to its destruction.
//
// Thread: the one that runs the callback. Owner: its stack. Never fails.
#pragma once

#include <atomic>
#include <cstdint>

#include "server/observe/metrics.h"

namespace httpuv::python {

class CallbackTime {
 public:
  explicit CallbackTime(server::CallbackMeter& meter) : meter_(meter), begun_(server::steady_ns()) {
    meter_.progress_ns.store(begun_, std::memory_order_relaxed);
    meter_.running.fetch_add(1, std::memory_order_relaxed);
  }
  CallbackTime(const CallbackTime&) = delete;
  CallbackTime& operator=(const CallbackTime&) = delete;
  ~CallbackTime() {
    const std::uint64_t now = server::steady_ns();
    meter_.progress_ns.store(now, std::memory_order_relaxed);
    meter_.running.fetch_sub(1, std::memory_order_relaxed);
    meter_.took.add(now - begun_);
  }

 private:
  server::CallbackMeter& meter_;
  const std::uint64_t begun_;
};

}  // namespace httpuv::python
