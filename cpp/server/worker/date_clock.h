// The Date header's value (RFC 9110 section 6.6.1), formatted once a second. Loop thread only.
#pragma once

#include <ctime>
#include <string_view>

#include "base/text/http_date.h"

namespace httpuv::server {

class DateClock {
 public:
  // Reads the coarse clock; call once a turn or a request, it costs a few nanoseconds.
  void tick() {
    const std::time_t now = std::time(nullptr);
    if (now != second_) {
      second_ = now;
      base::format_http_date(now, text_);
    }
  }
  [[nodiscard]] std::string_view text() const { return {text_, sizeof text_}; }
  [[nodiscard]] std::int64_t seconds() const { return second_; }

 private:
  std::time_t second_ = -1;
  char text_[29] = {};
};

}  // namespace httpuv::server
