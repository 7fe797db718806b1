// Deadlines by the thousand on one timer.
//
// What: a hashed timer wheel of 50 ms ticks. A Deadline is a member of whatever it watches;
//   setting, moving and clearing it is O(1), never allocates, and in the common cases (cleared, or
//   moved to a later time, as every request does) is one field write: the entry stays linked where
//   it was and is sorted anew when its old tick comes.
// Thread: the loop thread alone.
// Ownership: the wheel owns nothing; a Deadline unlinks itself when destroyed, before the wheel
//   is.
// Failure: none. A deadline fires once, never early, and late by up to one tick plus whatever
//   the loop is busy with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/list_link.h"

namespace httpuv::net {

class Deadline;
class TimerWheel;

class DeadlineOwner {
 public:
  // The deadline is no longer armed. May set it again, and may destroy it or any other deadline.
  // Has its own answer where there is no memory.
  virtual void on_deadline(Deadline& deadline) noexcept = 0;

 protected:
  virtual ~DeadlineOwner() = default;
};

// Wakes the wheel. The loop implements it with one uv_timer; tests with a fake clock.
class WheelAlarm {
 public:
  // Call TimerWheel::advance() at `at_ms` or later; replaces the time asked for before.
  virtual void set_alarm(std::int64_t at_ms) = 0;

 protected:
  virtual ~WheelAlarm() = default;
};

class Deadline : private ListLink {
 public:
  explicit Deadline(DeadlineOwner* owner) : owner_(owner) {}
  ~Deadline();

  // Fires at `at_ms` (Loop::now_ms() time) or up to a tick later. Replaces an earlier setting.
  void set(TimerWheel& wheel, std::int64_t at_ms);
  void clear() { at_ = kNever; }
  bool armed() const { return at_ != kNever; }
  // When it fires; meaningful while armed.
  std::int64_t at() const { return at_; }

 private:
  friend class TimerWheel;
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  DeadlineOwner* owner_;
  TimerWheel* wheel_ = nullptr;
  std::int64_t at_ = kNever;   // the truth
  std::int64_t due_ = kNever;  // when its slot is looked at; kNever: not linked
};

class TimerWheel {
 public:
  static constexpr std::int64_t kTickMs = 50;

  explicit TimerWheel(WheelAlarm* alarm) : alarm_(alarm) {}
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires what is due at `now_ms` and asks the alarm for the next tick that has entries, if any.
  void advance(std::int64_t now_ms);

  // How many entries are linked; a cleared one counts until its tick has passed.
  std::size_t linked() const { return linked_; }

 private:
  friend class Deadline;
  // 51.2 s a revolution; entries further off are looked at once a revolution.
  static constexpr std::int64_t kSlots = 1024;

  void link(Deadline& deadline);
  void unlink(Deadline& deadline);
  void collect(std::int64_t tick, ListLink& into);
  void ask_alarm();

  WheelAlarm* alarm_;
  std::int64_t tick_ = 0;                                               // the last one handled
  std::int64_t alarm_tick_ = std::numeric_limits<std::int64_t>::max();  // max: none asked for
  std::size_t linked_ = 0;
  bool advancing_ = false;
  std::array<std::uint64_t, kSlots / 64> used_{};  // a set bit: the slot may have entries
  std::array<ListLink, kSlots> slots_;
};

}  // namespace httpuv::net
