// Gauges: puts the current state where other processes and threads can read it.
//
// Loop thread only. Never fails.
#pragma once

#include <cstdint>
#include <utility>

#include "net/loop/timer_wheel.h"

namespace httpuv::server {

struct Context;

// A sum that is computed on request, and the part of it that was counted already.
struct Told {
  std::uint64_t closed = 0;  // of what is not there any more
  std::uint64_t told = 0;

  // The increment to count, if the current sum is `now`.
  std::uint64_t take(std::uint64_t now) {
    const std::uint64_t before = std::exchange(told, closed + now);
    return told - before;
  }
};

// Looks at every connection.
void take_gauges(Context& context);

// For workers that answer for each other: updates the gauges while something happens, at most four
// times a second, and once more afterwards.
class GaugeTaker final : private net::DeadlineOwner {
 public:
  explicit GaugeTaker(Context& context) : context_(context) {}
  void end_turn();
  void stop() { due_.clear(); }

 private:
  void on_deadline(net::Deadline&) noexcept override;

  Context& context_;
  net::Deadline due_{this};
  bool own_turn_ = false;  // nothing else has happened in it, as far as is known
};

}  // namespace httpuv::server
