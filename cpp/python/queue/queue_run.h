// One run of the queue: the callbacks that a thread performs, what it owes to a loop meanwhile, and
// the loop that it drives between them.
//
// On the stack of the thread that runs, with the GIL held; it is a part of Queue. What a callback
// raises leaves it.
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "python/coroutine/begin.h"
#include "python/queue/consumer.h"
#include "python/queue/queue.h"
#include "python/runtime/gil.h"

namespace httpuv::python {

struct Queue::Run {
  // A loop is told of the answers it got after this many, or when the batch is through: on one core
  // every telling is a switch of threads. A callback that takes long in between does not hold them
  // up: the loop looks by itself while the application owes answers.
  static constexpr int kAnswersPerRing = 32;

  // After this long in callbacks the loop has a turn between two of them: long before its own
  // thread takes it, so that a batch of short callbacks never costs a hand-over.
  static constexpr std::chrono::microseconds kAway{500};

  Queue& queue;
  base::Strands<Delivery>::Claim claim;
  std::thread::id thread = std::this_thread::get_id();
  const SameLoop asyncio;           // this runs in a callback of it, or in no loop
  std::shared_ptr<Consumer> owing;  // its events were handled, its loop was not told
  int owed = 0;
  std::shared_ptr<Consumer> home;  // this thread drives its loop when it has nothing else to do
  Clock::time_point away{};        // when it left that loop
  Clock::time_point now = Clock::now();  // when this thread has looked at the clock last
  bool hosted = false;  // another loop waits for that one, and calls run() when there is something
  bool lent = false;    // it waits now

  Run(Queue& of, const pybind11::object& loop) : queue(of), asyncio(loop) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    settle();
    if (hosted && !lent) {
      lent = loop().resume();
      lent ? loop().lend() : loop().ask_loan();
    }
    // Without this the answers would wait until the loop's own thread finds it unattended.
    if (home != nullptr && !hosted && loop().resume()) loop().pause();
    queue.leave(*this);
  }

  // Between two callbacks.
  void look_after_home() {
    if (home == nullptr) return;
    if (now - away < kAway) return;
    away = now;
    settle();
    if (!loop().resume()) return;
    loop().turn(0);
    loop().pause();
    now = Clock::now();
  }

  // A turn without waiting, in which answers are written and events come. Where none has come the
  // loop is lent at once.
  void turn_hosted() {
    settle();
    Clock::time_point done;
    {
      const GilRelease release;
      lent = false;
      if (loop().resume()) {
        loop().turn(0);
        lent = !queue.has_work();
        lent ? loop().lend() : loop().pause();
      } else {
        queue.loan_ended();
      }
      done = Clock::now();
    }
    away = now = Clock::now();
    queue.took_gil(away - done);
  }

  // Before a callback, where lending the loop has brought an event after all. What a callback posts
  // does not wake the loop each time, so the loop is paused meanwhile: its guardian takes it soon.
  void recall() {
    if (std::exchange(lent, false) && loop().resume()) loop().pause();
  }

  [[nodiscard]] server::Server& loop() const { return *home->server().only(); }

  // An event's task keeps its application for the next one. `owing` has it too, so that the queue
  // drops no last reference behind its lock.
  void perform(Task& task) {
    if (task.function) {
      settle();  // no other code tells the loop of a single answer
      const std::shared_ptr<Consumer> application = std::move(task.application);
      const pybind11::object function = std::move(task.function);
      if (application == nullptr) {
        call_python(function);
        now = Clock::now();
      } else {
        application->run(function, now);
      }
      return;
    }
    if (task.application != owing) {
      settle();
      owing = task.application;
      owing->begin();
    }
    if (server::is_awaited(task.event)) ++owed;
    owing->handle(std::move(task.event), now);
    if (owed >= kAnswersPerRing) settle();
  }

  void settle() {
    if (owed > 0) owing->ring(std::exchange(owed, 0));
  }
};

}  // namespace httpuv::python
