#include "server/observe/waiting_line.h"

namespace httpuv::server {

namespace {
constexpr std::int64_t kStepMs = 10;
constexpr std::uint64_t kNsInMs = 1'000'000;
}  // namespace

void WaitingLine::handed(std::size_t events, std::int64_t now_ms) {
  if (events == 0) return;
  catch_up();
  if (marks_.empty() || now_ms - marks_.back().at_ms >= kStepMs) {
    marks_.push_back({handed_, now_ms});
  }
  handed_ += events;
  metrics_.gauges.handed.store(handed_, std::memory_order_relaxed);
  catch_up();
}

std::uint64_t WaitingLine::depth() const {
  const std::uint64_t begun = metrics_.gauges.begun.load(std::memory_order_relaxed);
  return handed_ > begun ? handed_ - begun : 0;
}

std::int64_t WaitingLine::oldest_ms(std::int64_t now_ms) {
  catch_up();
  return marks_.empty() ? 0 : now_ms - marks_.front().at_ms;
}

void WaitingLine::catch_up() {
  const std::uint64_t begun = metrics_.gauges.begun.load(std::memory_order_relaxed);
  if (begun >= handed_) {
    marks_.clear();
    return;
  }
  while (marks_.size() > 1 && marks_[1].first <= begun) marks_.pop_front();
  const std::uint64_t last = marks_.size() > 1 ? marks_[1].first - 1 : handed_ - 1;
  metrics_.gauges.oldest.store(last, std::memory_order_relaxed);
  metrics_.gauges.oldest_ns.store(static_cast<std::uint64_t>(marks_.front().at_ms) * kNsInMs,
                                  std::memory_order_relaxed);
}

}  // namespace httpuv::server
