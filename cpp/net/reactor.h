// What code that has no socket of its own needs of the loop: the time, deadlines, work elsewhere
// and another turn. The real one is Loop; tests have one whose time they set.
//
// Thread: the loop thread alone. Failure: none.
#pragma once

#include <cstdint>
#include <functional>

#include "net/list_link.h"
#include "net/timer_wheel.h"

namespace httpuv::net {

// Something to be continued on the next turn of the loop, after all others had theirs. Intrusive,
// never allocates.
class TurnTask : private ListLink {
 public:
  virtual void run_turn() = 0;
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
    ListLink now;
    now.take_all(tasks_);
    while (!now.empty()) {
      auto& task = static_cast<TurnTask&>(*now.next);
      task.withdraw();
      task.run_turn();
    }
  }

 private:
  ListLink tasks_;
};

class Reactor {
 public:
  // Monotonic milliseconds, read once a turn.
  [[nodiscard]] virtual std::int64_t now_ms() const = 0;
  virtual TimerWheel& timers() = 0;
  // Runs `job` on a pool thread, then `done` here. `done` always runs, also during shutdown. Both
  // are destroyed on the loop thread.
  virtual void work(std::function<void()> job, std::function<void()> done) = 0;
  virtual void run_next_turn(TurnTask& task) = 0;

 protected:
  virtual ~Reactor() = default;
};

}  // namespace httpuv::net
