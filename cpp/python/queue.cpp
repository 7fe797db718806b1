#include "python/queue.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "python/application.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// A loop is told of the answers it got after this many, or when the batch is through: on one core
// every telling is a switch of threads. A callback that takes long in between does not hold them
// up: the loop looks by itself while the application owes answers.
constexpr int kAnswersPerRing = 32;

// How long a wait lasts before Python's signal handlers get their turn. poll(2) returns at once
// when the signal interrupts it; this bounds the rare case that it came just before.
constexpr int kSignalCheckMs = 100;

}  // namespace

Queue::~Queue() = default;

void Queue::push(const std::shared_ptr<Application>& application,
                 std::vector<server::Event>& events) {
  Delivery delivery;
  delivery.application = application;
  delivery.events.swap(events);
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    back_.push_back(std::move(delivery));
    events.swap(spare_);
    ring = std::exchange(armed_, false);
  }
  if (ring) doorbell_.ring();
}

void Queue::post(py::object function) {
  Delivery delivery;
  delivery.function = std::move(function);
  enqueue(std::move(delivery));
}

void Queue::enqueue(Delivery&& delivery) {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    back_.push_back(std::move(delivery));
    ring = std::exchange(armed_, false);
  }
  if (ring) doorbell_.ring();
}

void Queue::wake() {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    woken_.store(true);
    ring = std::exchange(armed_, false);
  }
  if (ring) doorbell_.ring();
}

int Queue::fileno() {
  const std::lock_guard lock(mutex_);
  if (!watched_) {
    watched_ = true;
    if (back_.empty() && front_.empty() && !woken_.load()) {
      armed_ = true;
    } else {
      doorbell_.ring();
    }
  }
  return doorbell_.fd();
}

std::size_t Queue::pending() {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const std::deque<Delivery>* part : {&front_, &back_}) {
    for (const Delivery& delivery : *part) {
      count += delivery.function ? 1 : delivery.events.size() - delivery.next;
    }
  }
  return count;
}

// Moves what came in to the front. True when there is something to run.
bool Queue::take() {
  const std::lock_guard lock(mutex_);
  if (front_.empty()) {
    front_.swap(back_);
  } else {
    std::move(back_.begin(), back_.end(), std::back_inserter(front_));
    back_.clear();
  }
  return !front_.empty();
}

// Waits with the GIL released until something was pushed. False on a time-out or wake().
bool Queue::wait(std::optional<double> timeout) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (woken_.exchange(false)) return false;
      if (!back_.empty()) return true;
      armed_ = true;
    }
    int slice = kSignalCheckMs;
    if (timeout) {
      const double left = *timeout - std::chrono::duration<double>(Clock::now() - start).count();
      if (left <= 0) return false;
      slice = std::min(slice, static_cast<int>(left * 1000) + 1);
    }
    bool rung = false;
    {
      const py::gil_scoped_release release;
      rung = doorbell_.wait(slice);
      if (rung) doorbell_.clear();
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

void Queue::ring_servers() {
  answers_unrung_ = 0;
  for (const auto& application : std::exchange(unrung_, {})) application->ring();
}

// Takes one callback off the front and calls it.
void Queue::run_next() {
  Delivery& delivery = front_.front();
  if (delivery.function) {
    const py::object function = std::move(delivery.function);
    front_.pop_front();
    function();
    return;
  }
  const std::shared_ptr<Application> application = delivery.application;
  server::Event event = std::move(delivery.events[delivery.next]);
  const bool last = ++delivery.next == delivery.events.size();
  if (last) {
    delivery.events.clear();
    {
      const std::lock_guard lock(mutex_);
      if (spare_.capacity() < delivery.events.capacity()) spare_.swap(delivery.events);
    }
    front_.pop_front();
  }
  // `delivery` is not touched again: the callback may run the queue.
  answered(application);
  struct Finally {
    Application* application;
    ~Finally() {
      if (application != nullptr) application->batch_handled();
    }
  } const finally{last ? application.get() : nullptr};
  application->handle(std::move(event));
}

void Queue::answered(const std::shared_ptr<Application>& application) {
  if (std::find(unrung_.begin(), unrung_.end(), application) == unrung_.end()) {
    unrung_.push_back(application);
  }
}

int Queue::run(std::optional<double> timeout, int max_events) {
  // However this ends, loops learn of their answers, and a watched descriptor tells of what is
  // left.
  struct Finally {
    Queue& queue;
    ~Finally() {
      queue.ring_servers();
      queue.rearm();
    }
  } const finally{*this};

  if (!take()) {
    if (timeout && *timeout <= 0) {
      woken_.store(false);  // this was the return that wake() asked for
      return 0;
    }
    if (!wait(timeout) || !take()) return 0;
  }
  int budget = max_events;
  if (budget <= 0) {
    for (const Delivery& delivery : front_) {
      budget += delivery.function ? 1 : static_cast<int>(delivery.events.size() - delivery.next);
    }
  }

  int ran = 0;
  while (ran < budget && !front_.empty()) {
    ++ran;
    run_next();
    if (woken_.load(std::memory_order_relaxed)) {
      woken_.store(false);
      break;
    }
    if (!unrung_.empty() && ++answers_unrung_ >= kAnswersPerRing) ring_servers();
  }
  return ran;
}

void Queue::forget() {
  front_.clear();
  // The lock may be held, and the container half changed, by a thread that does not exist here:
  // both start anew, and what they had is leaked.
  new (&mutex_) std::mutex;
  new (&back_) std::deque<Delivery>;
  armed_ = false;
  woken_.store(true);
}

void Queue::rearm() {
  const std::lock_guard lock(mutex_);
  if (!watched_) return;
  doorbell_.clear();
  if (front_.empty() && back_.empty() && !woken_.load()) {
    armed_ = true;
  } else {
    doorbell_.ring();
  }
}

}  // namespace httpuv::python
