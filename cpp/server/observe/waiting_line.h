// The age of the oldest event that waits for Python, without reading the queue: it is computed from
// the number of events handed over at each time, and the number that Python has begun. It is exact
// if events begin in order, and approximate with several threads.
//
// Thread: the loop thread; Python's threads count Gauges::begun.
// Owner: Context. What waits is bounded by the limits of the server, and so are the marks: at most
//   one for each 10 ms.
// Failure: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "server/observe/metrics.h"

namespace httpuv::server {

class WaitingLine {
 public:
  explicit WaitingLine(Metrics& metrics) : metrics_(metrics) {}

  // So many events go to Python now.
  void handed(std::size_t events, std::int64_t now_ms);
  // How many have not been begun.
  [[nodiscard]] std::uint64_t depth() const;
  // How long the oldest of them has waited; 0 if none does.
  [[nodiscard]] std::int64_t oldest_ms(std::int64_t now_ms);

  // Writes the age of the oldest waiting event to the metrics.
  void catch_up();

 private:
  struct Mark {
    std::uint64_t first;  // the number of the first event
    std::int64_t at_ms;
  };

  Metrics& metrics_;
  std::uint64_t handed_ = 0;
  std::deque<Mark> marks_;
};

}  // namespace httpuv::server
