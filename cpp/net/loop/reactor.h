// What code that has no socket of its own needs of the loop: the time, deadlines, work elsewhere
// and another turn. The real one is Loop; tests have one whose time they set.
//
// Thread: the loop thread alone. Failure: none.
#pragma once

#include <cstdint>
#include <functional>

#include "base/list_link.h"
#include "net/loop/timer_wheel.h"

namespace httpuv::net {

// Something to be continued on the next turn of the loop, after all others had theirs. Intrusive,
// never allocates.
class TurnTask : private ListLink {
 public:
  // Whatever it needs memory for has its answer there: nothing above it can give one.
  virtual void run_turn() noexcept = 0;
  bool waiting() const { return !empty(); }
  void withdraw() { remove(); }

 protected:
  TurnTask() = default;
  virtual ~TurnTask() { withdraw(); }

 private:
  friend class TurnQueue;
};

class TurnQueue {
 public:
  void append(TurnTask& task) { tasks_.append(task); }
  [[nodiscard]] bool empty() const { return tasks_.empty(); }
  // Those that wait now; what they append waits for the next call.
  void run() {
    run([] { return false; });
  }
  // The same, until `late()` is true after one of them; the rest are the first of the next call.
  template <class Late>
  void run(Late late) {
    ListLink now;
    now.take_all(tasks_);
    while (!now.empty()) {
      auto& task = static_cast<TurnTask&>(*now.next);
      task.withdraw();
      task.run_turn();
      if (late()) break;
    }
    now.take_all(tasks_);
    tasks_.take_all(now);
  }

 private:
  ListLink tasks_;
};

class Reactor {
 public:
  // Monotonic milliseconds, read once a turn.
  [[nodiscard]] virtual std::int64_t now_ms() const = 0;
  virtual TimerWheel& timers() = 0;
  // Work for the threads of the lanes (lanes.h): `job` runs there, then `done` here, where both are
  // destroyed. `ran` is false if the job ran out of memory. When the loop ends first, `done` is
  // destroyed without being called, and the job, if it runs, by its own thread: it must own all
  // that it touches.
  using Done = std::function<void(bool ran)>;
  // `device`: the st_dev of the files the job touches, 0 if it is not known.
  virtual void work_on_disk(std::uint64_t device, std::function<void()> job, Done done) = 0;
  // `slice` computes for some milliseconds at most, and is true if there is more to do. What has
  // the same `lane` is done in order.
  virtual void compute(std::uint64_t lane, std::function<bool()> slice, Done done) = 0;
  virtual void run_next_turn(TurnTask& task) = 0;

 protected:
  virtual ~Reactor() = default;
};

}  // namespace httpuv::net
