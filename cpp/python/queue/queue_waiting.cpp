// How a thread waits for a callback: as the leader, in the loop of the only server or for the
// doorbell, or as a follower of another thread.
#include <algorithm>
#include <climits>
#include <csignal>

#include "python/queue/consumer.h"
#include "python/queue/queue.h"
#include "python/queue/queue_run.h"
#include "python/runtime/gil.h"
#include "python/runtime/lending.h"
#include "python/waking/signal_watch.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// How long a wait of the main thread lasts before Python's signal handlers get their turn, where
// nothing tells it of a signal (see SignalWatch). A signal does not end the wait of a loop's turn.
constexpr int kSignalCheckMs = 25;

// A thread that has had to wait this long for the GIL leaves the loop to its own thread for a
// while: other threads run Python, and while this one waits for them nothing would drive the loop.
constexpr std::chrono::microseconds kSlowGil{300};
constexpr std::chrono::milliseconds kContended{50};

int shorter(int limit_ms, int other_ms) {
  return limit_ms < 0 ? other_ms : std::min(limit_ms, other_ms);
}

// This often it is looked whether SIGPIPE is ignored, which is a system call. A program that stops
// ignoring it between two writes to clients that are gone is that far from its end.
constexpr std::chrono::milliseconds kPipeCheck{5};

// Whether the end of a connection would end the process, or call a handler of the program: Python
// ignores SIGPIPE, but the program may have changed that. The loop's own thread blocks it.
bool minds_broken_pipes() {
  struct sigaction action {};
  return sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler != SIG_IGN;
}

}  // namespace

// The leader, while it waits. Made with the mutex held, destroyed without.
class Queue::Lead {
 public:
  explicit Lead(Queue& queue) : queue_(queue) { queue_.led_ = true; }
  Lead(const Lead&) = delete;
  Lead& operator=(const Lead&) = delete;
  ~Lead() {
    const std::lock_guard lock(queue_.mutex_);
    queue_.led_ = false;
    if (std::exchange(queue_.driven_, nullptr) != nullptr) queue_.armed_ = false;
  }

 private:
  Queue& queue_;
};

// None: there is no end.
std::optional<Queue::Clock::time_point> Queue::end_after(std::optional<double> seconds) {
  if (!seconds) return {};
  if (*seconds <= 0) return Clock::time_point::min();  // without a look at the clock
  constexpr Seconds kMost = std::chrono::hours{24 * 365};
  return Clock::now() + std::chrono::ceil<Clock::duration>(std::min(Seconds(*seconds), kMost));
}

// Waits with the GIL released until there is a callback for the run. 0 on a time-out or wake().
std::size_t Queue::wait(Run& run, Task& task, std::optional<Clock::time_point> end,
                        std::uint64_t seen) {
  if (end == Clock::time_point::min()) return 0;
  const bool on_main_thread = SignalWatch::on_main_thread();  // asks Python, so not by mutex_
  for (bool first = true;; first = false) {
    std::unique_lock lock(mutex_);
    if (wakes() != seen) return 0;
    if (const std::size_t waiting = next(run, task); waiting != 0) {
      idle_ = false;
      return waiting;
    }
    if (!first) idle_ = true;
    int limit_ms = -1;
    if (end) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - run.now);
      if (left.count() <= 0) return 0;
      limit_ms = static_cast<int>(std::min<std::int64_t>(left.count(), INT_MAX));
    }
    if (!led_ && may_begin(run.thread)) {
      const Lead lead(*this);
      auto home = to_drive(run.now);
      const bool quiet = idle_;
      lock.unlock();
      run.home =
          std::move(home);  // the one before may be the last of its kind: not behind the lock
      run.hosted = run.lent = false;  // this thread waits here
      wait_as_leader(run, seen, limit_ms, on_main_thread, quiet);
    } else if (on_main_thread) {
      follow_on_main_thread(lock, run, seen, limit_ms);
      run.now = Clock::now();
    } else {
      follow(lock, run, seen, limit_ms);
      run.now = Clock::now();
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

void Queue::wait_as_leader(Run& run, std::uint64_t seen, int limit_ms, bool on_main_thread,
                           bool quiet) {
  if (any_returned()) free_returned();
  Consumer* const home = run.home.get();
  std::optional<SignalWatch> signals;
  if (on_main_thread) {
    // At first without: to begin and end a watch costs more than a look after a while.
    if (quiet) signals.emplace(home != nullptr ? run.loop().bell() : signals_.write_fd());
    if (!signals || !signals->complete()) limit_ms = shorter(limit_ms, kSignalCheckMs);
    // One that has come before the watch began is not told.
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  Clock::time_point done;
  {
    const GilRelease release;
    if (home != nullptr) {
      drive(run, seen, limit_ms, quiet);
    } else {
      if (doorbell_.wait(limit_ms, on_main_thread ? signals_.fd() : -1)) doorbell_.clear();
      if (on_main_thread && quiet) signals_.clear();
    }
    done = Clock::now();
  }
  run.away = run.now = Clock::now();
  took_gil(run.away - done);
}

// A thread has waited this long for the GIL.
void Queue::took_gil(Clock::duration waited) {
  if (waited < kSlowGil) return;
  const std::lock_guard lock(mutex_);
  contended_until_ = Clock::now() + kContended;
}

// Turns the loop until there is something for this thread to do. Without the GIL.
void Queue::drive(const Run& run, std::uint64_t seen, int limit_ms, bool open_bell) {
  server::Server& server = run.loop();
  if (!server.drive()) return;
  if (open_bell && server.bell() < 0) server.open_bell();
  const auto end = run.now + std::chrono::milliseconds(limit_ms);
  int left_ms = limit_ms;
  // The bell is asked for before the first turn, too: the loop's own thread may have had the turn
  // in which it rang, while a signal handler ran here.
  while (drives_on(seen) && server.drivable() && !server.bell_rang()) {
    if (limit_ms >= 0 && left_ms < 0) {  // not the first turn
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
      left_ms = static_cast<int>(left.count());
      if (left_ms <= 0) break;
    }
    server.turn(std::exchange(left_ms, -1));
  }
  server.pause();
}

// Whether the leader goes on driving: nothing waits, no other thread has told it to look, and there
// is nothing to free with the GIL.
bool Queue::drives_on(std::uint64_t seen) {
  if (any_returned()) return false;
  const std::lock_guard lock(mutex_);
  return armed_ && !strands_.open() && wakes() == seen;
}

// The server that the leader drives from now on; null: it waits for the doorbell. Either is armed.
// By mutex_.
std::shared_ptr<Consumer> Queue::to_drive(Clock::time_point now) {
  armed_ = true;
  std::shared_ptr<Consumer> application;
  if (!watched_) application = drivable(now);
  if (application != nullptr) {
    driven_ = application.get();
    driver_ = std::this_thread::get_id();
  } else {
    take_over();
  }
  return application;
}

// The server that the host loop waits for, too; null: its own thread drives it, and the host loop
// waits for the doorbell. By mutex_.
std::shared_ptr<Consumer> Queue::to_host(Clock::time_point now) {
  armed_ = armed_ && led_;  // this thread looks before it leaves
  auto application = led_ ? nullptr : drivable(now);
  if (application != hosted_.lock()) {
    host_.hide();
    hosted_.reset();
    loaned_ = false;
  }
  if (application != nullptr && host_.show(application->server().only()->host_fd())) {
    hosted_ = application;
    return application;
  }
  take_over();
  return nullptr;
}

// A hosted loop has a turn; then as next().
std::size_t Queue::next_hosted(Run& run, Task& task) {
  run.turn_hosted();
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting = next(run, task);
  }
  if (waiting != 0) run.recall();
  return waiting;
}

// The host's thread has found a loop that is not lent any more. If it was at the end of the last
// run, the host was away for too long: it blocks, or other threads keep it from the GIL.
void Queue::loan_ended() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(loaned_, false)) contended_until_ = Clock::now() + kContended;
}

bool Queue::has_work() {
  const std::lock_guard lock(mutex_);
  return strands_.open();
}

// The one server, if this queue's thread may drive it now. By mutex_.
std::shared_ptr<Consumer> Queue::drivable(Clock::time_point now) {
  std::shared_ptr<Consumer> application;  // of those that are left
  std::erase_if(attached_, [&](const std::weak_ptr<Consumer>& each) {
    auto one = each.lock();
    if (one == nullptr || !one->server().answers()) return true;
    application = std::move(one);
    return false;
  });
  if (attached_.size() != 1 || threads_ != 1 || now < contended_until_) return nullptr;
  const server::Server* const loop = application->server().only();
  if (loop == nullptr || !loop->drivable()) return nullptr;
  if (now >= pipes_checked_ + kPipeCheck) {
    pipes_checked_ = now;
    minds_pipes_ = minds_broken_pipes();
  }
  return minds_pipes_ ? nullptr : application;
}

// What was driven until now is not left to itself. By mutex_.
void Queue::take_over() {
  for (const auto& each : attached_) {
    if (const auto application = each.lock()) application->server().take_over();
  }
}

void Queue::follow(std::unique_lock<std::mutex>& lock, Run& run, std::uint64_t seen, int limit_ms) {
  const auto ready = [&] { return wakes() != seen || may_go_on(run.thread); };
  const GilRelease release;
  ++followers_;
  if (limit_ms < 0) {
    changed_.wait(lock, ready);
  } else {
    changed_.wait_for(lock, std::chrono::milliseconds(limit_ms), ready);
  }
  --followers_;
  lock.unlock();  // before the GIL is asked for
}

// On a descriptor, to which a signal handler can write, instead of the condition.
void Queue::follow_on_main_thread(std::unique_lock<std::mutex>& lock, Run& run, std::uint64_t seen,
                                  int limit_ms) {
  lock.unlock();
  const SignalWatch signals(signals_.write_fd());
  if (!signals.complete()) limit_ms = shorter(limit_ms, kSignalCheckMs);
  // One that has come before the watch began is not told.
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  lock.lock();
  if (wakes() != seen || may_go_on(run.thread)) return lock.unlock();
  ++followers_;
  main_follows_ = true;
  main_ = run.thread;
  lock.unlock();
  const GilRelease release;
  signals_.wait(limit_ms);
  signals_.clear();
  lock.lock();
  main_follows_ = false;
  --followers_;
  lock.unlock();  // before the GIL is asked for
}

// Whether a follower may do so: there is work for it, or no thread leads. By mutex_.
bool Queue::may_go_on(std::thread::id thread) const {
  return may_begin(thread) && (!led_ || strands_.open(thread));
}

// By mutex_.
void Queue::tell_followers() {
  if (main_follows_) signals_.ring();
  changed_.notify_all();
}

// By mutex_.
void Queue::tell_a_follower() {
  if (main_follows_ && may_go_on(main_)) {
    signals_.ring();
  } else {
    changed_.notify_one();
  }
}

}  // namespace httpuv::python
