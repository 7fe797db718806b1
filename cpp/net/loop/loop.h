// One libuv loop and what everything on it shares.
//
// What: owns a uv_loop_t, its wake-up handles, the timer wheel, the read buffer and the set of
//   its descriptors. Not a singleton: any number may exist.
// Thread: created anywhere, then used by one thread at a time, its owner: the one that called
//   adopt() last (see driver.h for how threads take turns). Only what says "any thread" may be
//   called elsewhere.
// Ownership: its creator destroys it, after run() returned (or without run() if nothing
//   was ever put on it). In a forked child it is never destroyed: call forget_in_child() and leak
//   it.
// Failure: create() reports a libuv error number; after that nothing here fails.
// More than 25 members and methods, because a libuv loop has seven handles, and each has its state
// and its callback here.
#pragma once

#include <uv.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>

#include "base/thread_check.h"
#include "net/driver/driver.h"
#include "net/file/residency.h"
#include "net/lanes/lanes.h"
#include "net/loop/descriptor_set.h"
#include "net/loop/exposure.h"
#include "net/loop/reactor.h"
#include "net/loop/timer_wheel.h"

namespace httpuv::net {

class Loop final : public Reactor, public Wakeable, private WheelAlarm {
 public:
  // A WebSocket message of 64 KiB and its header come by one read.
  static constexpr std::size_t kReadBufferSize = std::size_t{64} * 1024 + 64;

  // nullptr and *error (a negative libuv error number) if the system is out of descriptors or
  // memory. Without `lanes` nothing here may need work done: no file is sent that is not in memory.
  static std::unique_ptr<Loop> create(int* error, std::shared_ptr<Lanes> lanes = nullptr);
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until finish() was called and the last stream and listener is gone. Returns with the libuv
  // loop closed. Work that is outstanding then is abandoned.
  void run();

  // The same in steps. adopt(): the calling thread is the owner from now on. turn(): waits for an
  // event at most so many milliseconds (-1: for as long as it takes), and handles what has come;
  // false when nothing is left on the loop, then close() is due.
  void adopt();
  bool turn(int wait_ms);
  void close();

  // A descriptor that ends the wait of a turn when a byte is written to it, as a signal handler can
  // do; -1: there are no more descriptors. It stays open as long as this exists.
  int bell();
  // Whether that has happened since the last time this was asked.
  bool bell_rang() { return std::exchange(bell_rang_, false); }

  // How another loop waits for this one.
  Exposure& exposure() { return exposure_; }

  // Lets run() return once everything else on the loop is closed. It closes nothing itself.
  // Idempotent.
  void finish();

  // Any thread, at any time before the destructor: has on_wake called soon. Calls in between are
  // merged.
  void wake() noexcept override;

  // Instead of sleeping at once: yields the processor until ready(), at most for this time.
  // Meanwhile a wake() only gives it away, too, so that the thread that calls it need not put this
  // one to sleep and wake it again. Returns ready(), after which no wake() is lost.
  bool linger(std::chrono::microseconds most, const std::function<bool()>& ready);

  // After wake(); what for is the owner's business (to drain a mailbox).
  std::function<void()> on_wake;
  // After every callback of a turn, before the loop polls again: flush batches here.
  std::function<void()> on_turn_end;

  // There was no memory for what one of these, or the end of some work, does: what it has not done
  // is left out.
  std::function<void()> on_no_memory;

  // As Reactor has them.
  void work_on_disk(std::uint64_t device, std::function<void()> job, Done done) override;
  void compute(std::uint64_t lane, std::function<bool()> slice, Done done) override;
  [[nodiscard]] std::int64_t now_ms() const override {
    return static_cast<std::int64_t>(uv_now(&uv_));
  }
  TimerWheel& timers() override { return timers_; }
  void run_next_turn(TurnTask& task) override;

  // --- fork. Any thread. ---
  // Before fork(): no descriptor may come or go until after_fork() or forget_in_child().
  // From now on connections are shut down before they are closed, since a child may hold a copy for
  // a while.
  void before_fork();
  // By the same thread; does nothing if before_fork() was not called.
  void after_fork();
  // In the child: closes the inherited descriptors (listeners, connections, epoll, eventfd) with
  // close(2) only. The loop and everything on it must be leaked then: nothing of it may be called,
  // destroyed or joined.
  void forget_in_child() noexcept;

  // --- for Stream, Listener and Ticker ---
  // What libuv calls, unless it has a better answer to no memory.
  template <class Call>
  void guarded(const Call& call) noexcept {
    try {
      call();
    } catch (const std::bad_alloc&) {
      if (on_no_memory) on_no_memory();
    }
  }
  uv_loop_t* uv() { return &uv_; }
  static Loop& of(const uv_loop_t* uv) { return *static_cast<Loop*>(uv->data); }
  std::span<char> read_buffer() { return {read_buffer_.get(), kReadBufferSize}; }
  DescriptorSet& descriptors() { return descriptors_; }
  Residency& residency() { return residency_; }
  // Closes a descriptor that never made it into a handle.
  void close_descriptor(int fd);
  // Whether sendfile(2) is used where the system has it (default: yes).
  bool use_sendfile() const { return use_sendfile_; }
  void set_use_sendfile(bool use) { use_sendfile_ = use; }
  // True once the process forked: a copy of each descriptor may live elsewhere.
  bool forked() const { return forked_.load(std::memory_order_relaxed); }
  // Every handle keeps run() going between these two.
  void opened() { ++open_; }
  void closed();

 private:
  explicit Loop(std::shared_ptr<Lanes> lanes);
  int init();
  std::shared_ptr<Work> begin_work(std::function<bool()> job, Done done);
  void hold(const std::shared_ptr<Work>& work);
  static std::shared_ptr<Work> let_go(Work& work);
  void finish_work();
  void abandon_work();
  void end_if_idle();
  void set_alarm(std::int64_t at_ms) override;
  void run_turn_tasks();
  void alarm_rang();
  void open_bell();

  uv_loop_t uv_;
  uv_async_t async_;
  uv_async_t work_async_;  // work has finished
  uv_prepare_t prepare_;   // turn end
  uv_idle_t idle_;         // active while turn tasks wait, so that polling does not block
  uv_timer_t timer_;       // the wheel's alarm
  uv_timer_t limit_;       // of the present turn
  bool bell_rang_ = false;
  uv_poll_t bell_;              // for one end of the pipe
  int bell_fds_[2] = {-1, -1};  // the other end is what bell() answers
  bool initialised_ = false;
  bool use_sendfile_ = true;
  bool finishing_ = false;
  bool ended_ = false;  // the handles above are closing
  bool done_ = false;   // the libuv loop is closed
  // An alarm that rings late: the process was stopped, or the loop was busy. What came meanwhile is
  // read first, then deadlines are looked at; otherwise clients that were in time would pay for it.
  class LateAlarm final : public TurnTask {
   public:
    explicit LateAlarm(Loop& loop) : loop_(loop) {}
    void begin();
    void run_turn() noexcept override;

   private:
    Loop& loop_;
    bool polled_ = false;
  };
  LateAlarm late_{*this};
  std::int64_t alarm_at_ = 0;
  std::size_t open_ = 0;
  base::ThreadCheck owner_;
  TurnQueue turn_tasks_;
  std::shared_ptr<Lanes> lanes_;
  std::shared_ptr<Completions> completions_;
  ListLink outstanding_;  // Work
  std::mutex wake_mutex_;
  bool wakeable_ = false;  // guarded by wake_mutex_: async_ may be touched
  std::atomic<bool> lingering_{false};
  bool forking_ = false;  // of the thread that forks
  std::atomic<bool> forked_{false};
  DescriptorSet descriptors_;
  Exposure exposure_{&uv_, descriptors_};
  Residency residency_;
  TimerWheel timers_;
  std::unique_ptr<char[]> read_buffer_;
};

}  // namespace httpuv::net
