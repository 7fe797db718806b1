// The GIL-aware queue: events come in from loop threads, which never hold the GIL, and leave on the
// Python threads that run it.
//
// push() and wake() from any thread; everything else with the GIL held. A run gives the GIL up only
// to wait. So many threads as the queue was made for may be in callbacks at once, never two for one
// connection (see base::Strands); the others wait. A callback may run the queue again from inside.
// What a callback raises leaves run() when it is not an Exception; what waits goes on waiting.
//
// One of those that wait leads, the others follow: they sleep until there is work for them, or no
// thread that leads. Where the queue has one server and one thread, the leader drives the server's
// loop itself (see server::Server::drive). Otherwise, and for a while after it had to wait for the
// GIL, it waits for the doorbell, which a producer rings only when a thread waits for it, or may be
// watching the descriptor. Where a host loop watches the descriptor, that is readable for the
// server's loop, too, which is lent to it (see net::Driver): run() gives it a turn.
// More than 25 members and methods, because the line of events, the threads that wait for it and
// the watch over them share one mutex.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/strands.h"
#include "python/queue/consumer.h"
#include "python/waking/doorbell.h"
#include "python/waking/host_descriptor.h"
#include "server/message/message.h"

namespace httpuv::python {

class Queue {
 public:
  explicit Queue(std::size_t threads) : threads_(threads) {}

  // A batch of events. Leaves the vector empty.
  void push(const std::shared_ptr<Consumer>& application, std::vector<server::Event>& events);
  // A function to call, in its turn: after all others of its connection that wait, or if it has no
  // connection after all others that have none.
  void post(pybind11::object function);
  void post(const std::shared_ptr<Consumer>& application, const server::ConnectionId& id,
            pybind11::object function);

  // Every run() under way returns after its callback, or at once if it waits. So does one that was
  // given an earlier wakes() than there is from now on.
  void wake();
  [[nodiscard]] std::uint64_t wakes() const { return wakes_.load(std::memory_order_acquire); }

  // A server whose events come here begins; only while there is one, the leader drives it.
  void attach(const std::shared_ptr<Consumer>& application);

  // Runs what waits now, at most max_events callbacks (0: all); if there is nothing, waits for it.
  // timeout in seconds, none: for ever. `again`: goes on like that until the timeout or a wake().
  // `loop`: the asyncio loop that has called; null: it is asked for. Returns how many callbacks
  // ran.
  int run(std::optional<double> timeout, int max_events, std::optional<std::uint64_t> wakes,
          bool again, const pybind11::object& loop);
  // Whether this thread has lent the loop of that application to its host, and has not asked since.
  static bool take_lent(const Consumer* application);
  // Whether a thread is in run(). Any thread.
  [[nodiscard]] bool attended() const { return attended_.load(); }
  // Waits so many seconds until no thread is in run(); whether none is.
  bool rest(double timeout);
  // What another loop is to watch. `lend`: it may wait for the server's loop, too, and give it
  // turns by run(); also from the first such call on for those without.
  int fileno(bool lend);
  [[nodiscard]] std::size_t pending();
  [[nodiscard]] std::size_t threads() const { return threads_; }

  // One thread may watch whether callbacks are run. begin_watch() gives it a number; unserved()
  // waits until events that want an answer have waited so many seconds with no thread in run(). It
  // returns how many wait, and a number that is another one once run() was called again; 0 as soon
  // as there was another begin_watch() or an end_watch().
  std::uint64_t begin_watch();
  void end_watch();
  std::pair<std::size_t, std::uint64_t> unserved(double seconds, std::uint64_t watch);
  // No thread will ever call run() again: refuses what waits, and all that comes.
  void refuse();

  // In a forked child, where a thread may have been in the middle of anything: drops what waits,
  // and has a run() under way return.
  void forget();

 private:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  struct Key {
    const Consumer* application = nullptr;
    server::ConnectionId connection;
    bool operator==(const Key&) const = default;
  };
  struct Task {
    std::shared_ptr<Consumer> application;
    server::Event event;
    pybind11::object function;  // instead of an event
  };
  // A batch of one application's events, or one function.
  struct Delivery {
    using Key = Queue::Key;
    using Task = Queue::Task;
    [[nodiscard]] std::size_t size() const { return function ? 1 : events.size() - next; }
    [[nodiscard]] Key key() const;
    void take(Task& into);

    std::shared_ptr<Consumer> application;
    std::vector<server::Event> events;
    std::size_t next = 0;
    server::ConnectionId connection;  // the function's
    pybind11::object function;
  };
  struct Run;
  class Lead;

  std::size_t next(Run& run, Task& task);
  static std::optional<Clock::time_point> end_after(std::optional<double> seconds);
  int run_round(Run& run, std::optional<Clock::time_point> end, int max_events, std::uint64_t seen);
  std::size_t wait(Run& run, Task& task, std::optional<Clock::time_point> end, std::uint64_t seen);
  void leave(Run& run);
  void wait_as_leader(Run& run, std::uint64_t seen, int limit_ms, bool on_main_thread, bool quiet);
  void follow(std::unique_lock<std::mutex>& lock, Run& run, std::uint64_t seen, int limit_ms);
  void follow_on_main_thread(std::unique_lock<std::mutex>& lock, Run& run, std::uint64_t seen,
                             int limit_ms);
  [[nodiscard]] bool may_go_on(std::thread::id thread) const;
  void tell_followers();
  void tell_a_follower();
  void drive(const Run& run, std::uint64_t seen, int limit_ms, bool open_bell);
  bool drives_on(std::uint64_t seen);
  std::shared_ptr<Consumer> to_drive(Clock::time_point now);
  std::shared_ptr<Consumer> to_host(Clock::time_point now);
  std::shared_ptr<Consumer> drivable(Clock::time_point now);
  std::size_t next_hosted(Run& run, Task& task);
  void loan_ended();
  [[nodiscard]] bool has_work();
  void took_gil(Clock::duration waited);
  void take_over();
  bool disarm();
  void wake_leader();
  [[nodiscard]] bool may_begin(std::thread::id thread) const;
  void hand_on();
  void count_taken(const Task& task);

  const std::size_t threads_;
  std::mutex mutex_;                 // never held while Python runs, nor when the GIL is asked for
  base::Strands<Delivery> strands_;  // by mutex_
  std::condition_variable changed_;  // for followers
  std::condition_variable resting_;  // no thread is in run()
  std::size_t runs_ = 0;             // by mutex_: threads in run()
  std::size_t followers_ = 0;        // by mutex_
  bool main_follows_ = false;        // by mutex_: the main thread follows, and waits for signals_
  std::thread::id main_;             // by mutex_: the main thread's id
  bool idle_ = false;                // by mutex_: the last wait has ended with nothing to do
  bool led_ = false;                 // by mutex_
  bool armed_ = false;               // by mutex_: the next push rings
  std::vector<std::weak_ptr<Consumer>> attached_;  // by mutex_
  Consumer* driven_ = nullptr;                     // by mutex_: the leader drives it
  std::thread::id driver_;                         // by mutex_: the thread that drives
  Clock::time_point contended_until_{};            // by mutex_: the GIL was slow to get
  Clock::time_point pipes_checked_{};              // by mutex_
  bool minds_pipes_ = true;                        // by mutex_: as it was checked last
  HostDescriptor host_;                            // by mutex_: what fileno() answers
  std::weak_ptr<Consumer> hosted_;                 // by mutex_: the loop in that descriptor
  bool loaned_ = false;                            // by mutex_: this thread has lent that loop
  std::atomic<bool> attended_{false};
  bool watched_ = false;  // by mutex_: a loop watches the descriptor, so its state must be exact
  std::atomic<std::uint64_t> wakes_{1};  // never 0
  std::size_t awaited_ = 0;              // by mutex_: waiting events that need an answer
  std::uint64_t served_ = 0;             // by mutex_: the number of calls of run()
  std::uint64_t watch_ = 0;              // by mutex_: the number of the current watch
  bool watch_sleeps_ = false;            // by mutex_: the watch waits for the first event
  std::condition_variable watching_;     // for the watch
  bool refusing_ = false;                // by mutex_
  Doorbell doorbell_;
  Doorbell signals_{Doorbell::Kind::kPipe};  // wakes the main thread when a signal arrives
};

}  // namespace httpuv::python
