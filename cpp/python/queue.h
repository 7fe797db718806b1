// The GIL-aware queue: events come in from loop threads, which never hold the GIL, and leave on the
// Python thread that runs it.
//
// push() and wake() from any thread; everything else with the GIL held. The consumer takes all that
// waits with one lock and gives the GIL up only to wait. A producer rings the doorbell only when
// somebody waits, or may be waiting on the descriptor. One consumer at a time; a callback may run
// the queue again from inside. What a callback raises leaves run() when it is not an Exception;
// what was taken and not run stays at the front.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "python/doorbell.h"
#include "server/message.h"

namespace httpuv::python {

class Application;

class Queue {
 public:
  Queue() = default;
  ~Queue();

  void push(const std::shared_ptr<Application>& application, std::vector<server::Event>& events);
  void wake();  // a run() under way returns after its callback, or else the next that would wait

  // Runs what waits now, at most max_events callbacks (0: all); if there is nothing, waits for it.
  // timeout in seconds, none: for ever. Returns how many callbacks ran.
  int run(std::optional<double> timeout, int max_events);
  void post(pybind11::object function);
  int fileno();
  [[nodiscard]] std::size_t pending();

  // In a forked child, where a producer may have been in the middle of anything: drops what waits,
  // and has a run() under way return.
  void forget();

 private:
  // A batch of one application's events, or one posted function.
  struct Delivery {
    std::shared_ptr<Application> application;
    std::vector<server::Event> events;
    std::size_t next = 0;
    pybind11::object function;
  };

  void enqueue(Delivery&& delivery);
  bool take();
  bool wait(std::optional<double> timeout);
  void run_next();
  void answered(const std::shared_ptr<Application>& application);
  void ring_servers();
  void rearm();

  std::mutex mutex_;
  std::deque<Delivery> back_;         // by mutex_
  std::vector<server::Event> spare_;  // by mutex_: the memory of a batch that was handled
  bool armed_ = false;                // by mutex_: the next push rings
  std::atomic<bool> woken_{false};
  bool watched_ = false;  // by mutex_: somebody has the descriptor, so it must tell the truth

  std::deque<Delivery> front_;                        // by the GIL
  std::vector<std::shared_ptr<Application>> unrung_;  // by the GIL: owe their loop a ring
  int answers_unrung_ = 0;
  Doorbell doorbell_;
};

}  // namespace httpuv::python
