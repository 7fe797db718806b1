#include "python/queue.h"

#include <algorithm>
#include <new>
#include <utility>

#include "python/application.h"
#include "python/runtime/gil.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// A loop is told of the answers it got after this many, or when the batch is through: on one core
// every telling is a switch of threads. A callback that takes long in between does not hold them
// up: the loop looks by itself while the application owes answers.
constexpr int kAnswersPerRing = 32;

// How long a wait lasts before Python's signal handlers get their turn. poll(2) returns at once
// when the signal interrupts it; this bounds the rare case that it came just before.
constexpr int kSignalCheckMs = 100;

}  // namespace

// One run(), on the stack of its thread.
struct Queue::Run {
  Queue& queue;
  base::Strands<Delivery>::Claim claim;
  std::thread::id thread = std::this_thread::get_id();
  std::shared_ptr<Application> owing;  // whose events were handled and whose loop was not told
  int owed = 0;

  explicit Run(Queue& of) : queue(of) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    settle();
    queue.leave(*this);
  }

  void perform(Task& task) {
    const std::shared_ptr<Application> application = std::move(task.application);
    if (task.function) {
      settle();  // no other code tells the loop of a single answer
      const py::object function = std::move(task.function);
      if (application == nullptr) {
        call_python(function);
      } else {
        application->run(function);
      }
      return;
    }
    if (application != owing) {
      settle();
      owing = application;
    }
    if (server::is_awaited(task.event)) ++owed;
    owing->handle(std::move(task.event));
    if (owed >= kAnswersPerRing) settle();
  }

  void settle() {
    if (owed > 0) owing->ring(std::exchange(owed, 0));
  }
};

Queue::Key Queue::Delivery::key() const {
  if (function) return {application.get(), connection};
  const auto* const request = std::get_if<server::RequestEvent>(&events[next]);
  return {application.get(), request != nullptr ? request->envelope->id.connection
                                                : server::connection_of(events[next])};
}

void Queue::Delivery::take(Task& into) {
  if (function) {
    into.application = std::move(application);
    into.function = std::move(function);
    return;
  }
  into.event = std::move(events[next]);
  if (++next < events.size()) {
    into.application = application;
  } else {
    into.application = std::move(application);
    events.clear();
    next = 0;
  }
}

// --- in -----------------------------------------------------------------------------------------

void Queue::push(const std::shared_ptr<Application>& application,
                 std::vector<server::Event>& events) {
  const bool awaited = !events.empty() && server::is_awaited(events.front());  // all or none
  Delivery delivery;
  delivery.application = application;
  bool ring = false;
  {
    std::unique_lock lock(mutex_);
    if (refusing_) {
      lock.unlock();
      for (server::Event& event : events) application->refuse(std::move(event));
      events.clear();
      return;
    }
    delivery.events.swap(events);
    if (awaited) {
      awaited_ += delivery.events.size();
      if (std::exchange(watch_sleeps_, false)) watching_.notify_all();
    }
    try {
      strands_.push(std::move(delivery));
    } catch (const std::bad_alloc&) {  // nothing was taken
      if (awaited) awaited_ -= delivery.events.size();
      delivery.events.swap(events);
      throw;
    }
    events.swap(strands_.spent().events);
    ring = std::exchange(armed_, false);
  }
  if (ring) doorbell_.ring();
}

void Queue::post(py::object function) {
  post(nullptr, {}, std::move(function));
}

void Queue::post(const std::shared_ptr<Application>& application, const server::ConnectionId& id,
                 py::object function) {
  Delivery delivery;
  delivery.application = application;
  delivery.connection = id;
  delivery.function = std::move(function);
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    strands_.push(std::move(delivery));
    ring = std::exchange(armed_, false);
  }
  if (ring) doorbell_.ring();
}

void Queue::wake() {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    wakes_.fetch_add(1, std::memory_order_release);
    ring = std::exchange(armed_, false);
    changed_.notify_all();
  }
  if (ring) doorbell_.ring();
}

int Queue::fileno() {
  const std::lock_guard lock(mutex_);
  if (!watched_) {
    watched_ = true;
    if (strands_.open()) {
      doorbell_.ring();
    } else {
      armed_ = true;
    }
  }
  return doorbell_.fd();
}

std::size_t Queue::pending() {
  const std::lock_guard lock(mutex_);
  return strands_.size();
}

// --- out ----------------------------------------------------------------------------------------

int Queue::run(std::optional<double> timeout, int max_events, std::optional<std::uint64_t> wakes) {
  const std::uint64_t seen = wakes.value_or(this->wakes());
  // However it ends, loops learn of their answers, others that wait go on, and a watched descriptor
  // tells of what is left.
  Run run(*this);
  Task task;
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    ++runs_;
    ++served_;
    waiting = next(run, task);
  }
  if (waiting == 0 && !(timeout && *timeout <= 0)) waiting = wait(run, task, timeout, seen);
  const std::size_t budget = max_events > 0 ? static_cast<std::size_t>(max_events) : waiting;
  int ran = 0;
  while (waiting != 0) {
    ++ran;
    run.perform(task);
    if (static_cast<std::size_t>(ran) >= budget || this->wakes() != seen) break;
    const std::lock_guard lock(mutex_);
    waiting = next(run, task);
  }
  return ran;
}

// Whether a thread may begin a callback now, if there is one. By mutex_.
bool Queue::may_begin(std::thread::id thread) const {
  return strands_.threads() < threads_ || strands_.works(thread);
}

// The run's callback is over; the next one for it. Returns how many waited, 0: there is none for
// it. By mutex_.
std::size_t Queue::next(Run& run, Task& task) {
  if (!may_begin(run.thread)) return 0;
  const std::size_t waiting = strands_.size();
  const bool found = strands_.next(run.claim, task);
  if (strands_.left()) {
    changed_.notify_all();
    if (std::exchange(armed_, false)) doorbell_.ring();
  }
  if (!found) return 0;
  count_taken(task);
  hand_on();
  return waiting;
}

// Wakes another thread to begin what waits, or to lead. By mutex_.
void Queue::hand_on() {
  if (strands_.threads() >= threads_) return;
  if (followers_ > 0) {
    if (!led_ || strands_.open()) changed_.notify_one();
  } else if (strands_.open() && std::exchange(armed_, false)) {
    doorbell_.ring();
  }
}

// Waits with the GIL released until there is a callback for the run. 0 on a time-out or wake().
std::size_t Queue::wait(Run& run, Task& task, std::optional<double> timeout, std::uint64_t seen) {
  const auto start = Clock::now();
  while (true) {
    std::unique_lock lock(mutex_);
    if (wakes() != seen) return 0;
    if (const std::size_t waiting = next(run, task); waiting != 0) return waiting;
    int slice = kSignalCheckMs;
    if (timeout) {
      const double left = *timeout - Seconds(Clock::now() - start).count();
      if (left <= 0) return 0;
      slice = left * 1000 < slice ? static_cast<int>(left * 1000) + 1 : slice;
    }
    if (!led_ && may_begin(run.thread)) {
      led_ = armed_ = true;
      lock.unlock();
      {
        const GilRelease release;
        if (doorbell_.wait(slice)) doorbell_.clear();
      }
      lock.lock();
      led_ = false;
    } else {
      const GilRelease release;
      ++followers_;
      changed_.wait_for(lock, std::chrono::milliseconds(slice), [&] {
        return wakes() != seen || (may_begin(run.thread) && (!led_ || strands_.open(run.thread)));
      });
      --followers_;
      lock.unlock();  // before the GIL is asked for
    }
    if (lock.owns_lock()) lock.unlock();
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

void Queue::leave(Run& run) {
  const std::lock_guard lock(mutex_);
  strands_.release(run.claim);
  if (runs_ > 0 && --runs_ == 0) resting_.notify_all();
  hand_on();
  if (!watched_) return;
  doorbell_.clear();
  if (strands_.open()) {
    doorbell_.ring();
  } else {
    armed_ = true;
  }
}

bool Queue::rest(double timeout) {
  const GilRelease release;
  std::unique_lock lock(mutex_);
  return resting_.wait_for(lock, Seconds(timeout), [this] { return runs_ == 0; });
}

// By mutex_.
void Queue::count_taken(const Task& task) {
  if (!task.function && server::is_awaited(task.event)) --awaited_;
}

// --- whether it is served -----------------------------------------------------------------------

std::uint64_t Queue::begin_watch() {
  const std::lock_guard lock(mutex_);
  watching_.notify_all();
  return ++watch_;
}

void Queue::end_watch() {
  begin_watch();
}

std::pair<std::size_t, std::uint64_t> Queue::unserved(double seconds, std::uint64_t watch) {
  const GilRelease release;
  std::unique_lock lock(mutex_);
  const auto ended = [&] { return watch_ != watch; };
  while (true) {
    watching_.wait(lock, [&] {
      // Each time: what woke this thread may have been taken before it has the lock.
      watch_sleeps_ = awaited_ == 0;
      return ended() || !watch_sleeps_;
    });
    const std::uint64_t served = served_;
    if (watching_.wait_for(lock, Seconds(seconds), ended)) return {0, served};
    if (awaited_ > 0 && runs_ == 0 && served_ == served) return {awaited_, served};
  }
}

void Queue::refuse() {
  std::vector<Task> tasks;  // functions among them are dropped behind the lock
  {
    const std::lock_guard lock(mutex_);
    refusing_ = true;
    base::Strands<Delivery>::Claim claim;
    Task task;
    while (strands_.next(claim, task)) {
      count_taken(task);
      tasks.push_back(std::move(task));
    }
    strands_.release(claim);
  }
  for (Task& task : tasks) {
    if (!task.function) task.application->refuse(std::move(task.event));
  }
}

void Queue::forget() {
  // A lock may be held, and what it guards half changed, by a thread that does not exist here: all
  // of it starts anew, and what was there is leaked.
  new (&mutex_) std::mutex;
  new (&changed_) std::condition_variable;
  new (&resting_) std::condition_variable;
  new (&strands_) base::Strands<Delivery>;
  new (&watching_) std::condition_variable;
  followers_ = runs_ = awaited_ = 0;
  watch_sleeps_ = false;
  led_ = armed_ = false;
  wakes_.fetch_add(1);
}

}  // namespace httpuv::python
