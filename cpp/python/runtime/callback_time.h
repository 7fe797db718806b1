// Measures a callback for the metrics, from its construction to its destruction. It begins when the
// thread has looked at the clock last, which is the end of the callback before: a look costs as
// much as 60 instructions.
//
// Thread: the one that runs the callback, with the GIL held. Owner: its stack. Never fails.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "server/observe/metrics.h"

namespace httpuv::python {

class CallbackTime {
 public:
  using Clock = std::chrono::steady_clock;

  // `now` becomes the time of the end.
  CallbackTime(server::CallbackMeter& meter, Clock::time_point& now)
      : meter_(meter), now_(now), begun_(nanoseconds(now)) {
    meter_.progress_ns.store(begun_, std::memory_order_relaxed);
    meter_.running.add();
  }
  CallbackTime(const CallbackTime&) = delete;
  CallbackTime& operator=(const CallbackTime&) = delete;
  ~CallbackTime() {
    now_ = Clock::now();
    const std::uint64_t now = nanoseconds(now_);
    meter_.progress_ns.store(now, std::memory_order_relaxed);
    meter_.running.subtract(1);
    meter_.took.add(now - begun_);
  }

 private:
  // As server::steady_ns() has it.
  static std::uint64_t nanoseconds(Clock::time_point time) {
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(time.time_since_epoch()).count());
  }

  server::CallbackMeter& meter_;
  Clock::time_point& now_;
  const std::uint64_t begun_;
};

}  // namespace httpuv::python
