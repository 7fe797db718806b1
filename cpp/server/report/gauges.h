// Gauges: puts the current state where other processes and threads can read it.
//
// Loop thread only. Never fails.
#pragma once

#include "net/loop/timer_wheel.h"

namespace httpuv::server {

struct Context;

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
