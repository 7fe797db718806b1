// The time as a turn of the loop has it: the Date header's value (RFC 9110 section 6.6.1),
// formatted once a second, and the steady clock, read once for all requests and all answers of a
// turn. Loop thread only.
#pragma once

#include <chrono>
#include <ctime>
#include <string_view>

#include "base/text/http_date.h"

namespace httpuv::server {

class DateClock {
 public:
  using Steady = std::chrono::steady_clock;

  // Before each part of a turn. Reads the coarse clock, which costs a few nanoseconds.
  void tick() {
    steady_ = {};
    const std::time_t now = std::time(nullptr);
    if (now != second_) {
      second_ = now;
      base::format_http_date(now, text_);
    }
  }
  [[nodiscard]] std::string_view text() const { return {text_, sizeof text_}; }
  [[nodiscard]] std::int64_t seconds() const { return second_; }
  // When it was asked for first since the last tick().
  [[nodiscard]] Steady::time_point steady() {
    if (steady_ == Steady::time_point()) steady_ = Steady::now();
    return steady_;
  }

 private:
  Steady::time_point steady_{};
  std::time_t second_ = -1;
  char text_[29] = {};
};

}  // namespace httpuv::server
