// The last messages of a topic: a ring that is bounded by number, by bytes and by age.
//
// What: keeps appended messages until a bound removes the oldest, and knows whether all messages
//   after an offset are present. Offsets rise by one; gaps count as lost messages. No I/O, no
// clock:
//   the caller passes the time.
// Thread: the loop's.
// Ownership: shares the messages.
// Failure: none but memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/message/publication.h"

namespace httpuv::server {

struct HistoryLimits {
  std::size_t messages = 0;
  std::size_t bytes = 0;  // Publication::cost(), added up
  std::int64_t ttl_ms = 0;
};

class History {
 public:
  // Nothing is missing of what comes behind `offset`.
  explicit History(std::uint64_t offset = 0) : lost_(offset), last_(offset) {}

  // A message whose offset is greater than last(), and whose time is not before the last one's.
  void append(SharedPublication message, const HistoryLimits& limits);
  // Drops what is too old.
  void expire(std::int64_t now_ms, const HistoryLimits& limits);

  // Whether all messages behind `offset` are here.
  [[nodiscard]] bool reaches(std::uint64_t offset) const {
    return offset >= lost_ && offset <= last_;
  }
  // Those behind `offset` that are here, in order.
  [[nodiscard]] std::vector<SharedPublication> since(std::uint64_t offset) const;

  [[nodiscard]] std::uint64_t last() const { return last_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // When the oldest message will be too old; only where size() is not 0.
  [[nodiscard]] std::int64_t expires_at(const HistoryLimits& limits) const {
    return at(0)->at_ms + limits.ttl_ms;
  }

 private:
  [[nodiscard]] const SharedPublication& at(std::size_t index) const {
    return ring_[(head_ + index) & (ring_.size() - 1)];
  }
  void pop();
  void grow();

  std::vector<SharedPublication> ring_{};  // its size is a power of two, or 0
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::uint64_t lost_;  // the greatest offset that is not here any more
  std::uint64_t last_;
};

}  // namespace httpuv::server
