#include "net/loop/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace httpuv::net {

namespace {

constexpr std::int64_t kNoTick = std::numeric_limits<std::int64_t>::max();

// The first tick at or after a time: a deadline may be late, never early.
std::int64_t tick_at(std::int64_t ms) {
  return (ms + TimerWheel::kTickMs - 1) / TimerWheel::kTickMs;
}

}  // namespace

Deadline::~Deadline() {
  if (due_ != kNever) wheel_->unlink(*this);
}

void Deadline::set(TimerWheel& wheel, std::int64_t at_ms) {
  at_ = std::clamp<std::int64_t>(at_ms, 0, kNever / 2);
  // Already linked at this tick or an earlier one: the wheel sorts it anew when it comes by.
  if (due_ < at_ + TimerWheel::kTickMs) return;
  if (due_ != kNever) wheel_->unlink(*this);
  wheel_ = &wheel;
  wheel.link(*this);
}

void TimerWheel::link(Deadline& deadline) {
  const std::int64_t tick = std::max(tick_at(deadline.at_), tick_ + 1);
  const auto slot = static_cast<std::size_t>(tick % kSlots);
  deadline.due_ = tick * kTickMs;
  slots_[slot].append(deadline);
  used_[slot / 64] |= std::uint64_t{1} << (slot % 64);
  ++linked_;
  if (tick < alarm_tick_ && !advancing_) {
    alarm_tick_ = tick;
    alarm_->set_alarm(tick * kTickMs);
  }
}

void TimerWheel::unlink(Deadline& deadline) {
  deadline.remove();
  deadline.due_ = Deadline::kNever;
  --linked_;
}

void TimerWheel::collect(std::int64_t tick, ListLink& into) {
  const auto slot = static_cast<std::size_t>(tick % kSlots);
  std::uint64_t& word = used_[slot / 64];
  const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
  if ((word & bit) == 0) return;
  word &= ~bit;
  into.take_all(slots_[slot]);
}

void TimerWheel::advance(std::int64_t now_ms) {
  const std::int64_t target = now_ms / kTickMs;
  alarm_tick_ = kNoTick;
  if (target > tick_) {
    ListLink due;
    const std::int64_t first = std::max(tick_ + 1, target - kSlots + 1);
    tick_ = target;
    for (std::int64_t tick = first; tick <= target; ++tick) collect(tick, due);
    advancing_ = true;
    // One at a time from the front: a callback may destroy, and thereby unlink, any of the others.
    while (!due.empty()) {
      auto& deadline = static_cast<Deadline&>(*due.next);
      unlink(deadline);
      if (!deadline.armed()) continue;
      if (deadline.at_ > now_ms) {
        link(deadline);
        continue;
      }
      deadline.clear();
      deadline.owner_->on_deadline(deadline);
    }
    advancing_ = false;
  }
  ask_alarm();
}

void TimerWheel::ask_alarm() {
  if (linked_ == 0) return;
  // The next slot in use, a word of the bitmap at a time. A slot may hold only entries of a later
  // revolution: then the wheel looks in vain, once a revolution.
  std::int64_t tick = tick_ + 1;
  const std::int64_t end = tick_ + kSlots;
  while (tick <= end) {
    const auto slot = static_cast<std::size_t>(tick % kSlots);
    const std::uint64_t ahead = used_[slot / 64] >> (slot % 64);
    if (ahead != 0) {
      alarm_tick_ = tick + std::countr_zero(ahead);
      alarm_->set_alarm(alarm_tick_ * kTickMs);
      return;
    }
    tick += static_cast<std::int64_t>(64 - slot % 64);
  }
}

}  // namespace httpuv::net
