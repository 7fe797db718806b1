#include "server/topics/history.h"

#include <algorithm>
#include <utility>

namespace httpuv::server {

void History::append(SharedPublication message, const HistoryLimits& limits) {
  if (message->offset != last_ + 1) {
    while (count_ > 0) pop();
    lost_ = message->offset - 1;
  }
  last_ = message->offset;
  if (count_ == ring_.size()) grow();
  bytes_ += message->cost();
  ring_[(head_ + count_) & (ring_.size() - 1)] = std::move(message);
  ++count_;
  while (count_ > limits.messages || bytes_ > limits.bytes) pop();
}

void History::expire(std::int64_t now_ms, const HistoryLimits& limits) {
  while (count_ > 0 && expires_at(limits) <= now_ms) pop();
}

void History::pop() {
  SharedPublication& oldest = ring_[head_];
  bytes_ -= oldest->cost();
  lost_ = oldest->offset;
  oldest.reset();
  head_ = (head_ + 1) & (ring_.size() - 1);
  --count_;
}

void History::grow() {
  std::vector<SharedPublication> larger(std::max<std::size_t>(4, ring_.size() * 2));
  for (std::size_t i = 0; i < count_; ++i) larger[i] = at(i);
  ring_ = std::move(larger);
  head_ = 0;
}

std::vector<SharedPublication> History::since(std::uint64_t offset) const {
  std::size_t first = 0;
  // They are consecutive, so the place of an offset is a difference.
  if (count_ > 0 && offset >= at(0)->offset)
    first = std::min<std::uint64_t>(count_, offset - at(0)->offset + 1);
  std::vector<SharedPublication> found;
  found.reserve(count_ - first);
  for (std::size_t i = first; i < count_; ++i) found.push_back(at(i));
  return found;
}

}  // namespace httpuv::server
