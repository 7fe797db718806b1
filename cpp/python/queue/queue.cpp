#include "python/queue/queue.h"

#include <new>
#include <utility>

#include "python/queue/consumer.h"
#include "python/queue/queue_run.h"
#include "python/runtime/gil.h"
#include "python/runtime/lending.h"
#include "python/waking/signal_watch.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

// So long a run that a host loop has called goes on with what its answers bring. The host's
// other work waits meanwhile.
constexpr std::chrono::milliseconds kHostSlice{1};

thread_local const Consumer* t_lent = nullptr;  // only compared

}  // namespace

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
  const bool last = ++next == events.size();
  // The task before is mostly of the same application: then nothing is counted.
  if (into.application != application) {
    into.application = last ? std::move(application) : application;
  }
  if (!last) return;
  application = nullptr;
  events.clear();
  next = 0;
}

// --- in -----------------------------------------------------------------------------------------

void Queue::push(const std::shared_ptr<Consumer>& application, std::vector<server::Event>& events) {
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
    ring = disarm();
  }
  if (ring) doorbell_.ring();
}

void Queue::post(py::object function) {
  post(nullptr, {}, std::move(function));
}

void Queue::post(const std::shared_ptr<Consumer>& application, const server::ConnectionId& id,
                 py::object function) {
  Delivery delivery;
  delivery.application = application;
  delivery.connection = id;
  delivery.function = std::move(function);
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    strands_.push(std::move(delivery));
    ring = disarm();
  }
  if (ring) doorbell_.ring();
}

void Queue::wake() {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    wakes_.fetch_add(1, std::memory_order_release);
    ring = disarm();
    tell_followers();
  }
  if (ring) doorbell_.ring();
}

// Wakes the leader if it drives; true: it, or what watches the descriptor, waits for the doorbell,
// which is to be rung. By mutex_.
bool Queue::disarm() {
  // The thread that drives looks by itself when its turn ends.
  if (!armed_ || (driven_ != nullptr && driver_ == std::this_thread::get_id())) return false;
  armed_ = false;
  if (driven_ == nullptr) return true;
  driven_->server().ring();
  return false;
}

void Queue::attach(const std::shared_ptr<Consumer>& application) {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    attached_.push_back(application);
    ring = disarm();  // the leader may drive another server: no longer
  }
  if (ring) doorbell_.ring();
}

int Queue::fileno(bool lend) {
  const std::lock_guard lock(mutex_);
  if (lend) host_.open(doorbell_.fd());
  if (!watched_) {
    watched_ = true;
    if (strands_.open()) {
      doorbell_.ring();
    } else {
      armed_ = true;
    }
  }
  return host_.fd() >= 0 ? host_.fd() : doorbell_.fd();
}

std::size_t Queue::pending() {
  const std::lock_guard lock(mutex_);
  return strands_.size();
}

// --- out ----------------------------------------------------------------------------------------

int Queue::run(std::optional<double> timeout, int max_events, std::optional<std::uint64_t> wakes,
               bool again, const py::object& loop) {
  if (any_returned()) free_returned();
  const std::uint64_t seen = wakes.value_or(this->wakes());
  const auto end = end_after(timeout);
  // However it ends, loops learn of their answers, others that wait go on, and a watched descriptor
  // tells of what is left.
  t_lent = nullptr;
  Run run(*this, loop);
  {
    const std::lock_guard lock(mutex_);
    ++runs_;
    attended_.store(true);
    ++served_;
    if (host_.fd() >= 0) run.home = to_host(run.now);
    run.hosted = run.home != nullptr;
  }
  int ran = run_round(run, end, max_events, seen);
  for (int more = ran; again && more > 0 && this->wakes() == seen && !(end && run.now >= *end);
       ran += more) {
    run.settle();
    more = run_round(run, end, max_events, seen);
  }
  return ran;
}

// What waits now; if there is nothing, what comes first. Returns how many callbacks ran.
int Queue::run_round(Run& run, std::optional<Clock::time_point> end, int max_events,
                     std::uint64_t seen) {
  Task task;
  std::size_t waiting = 0;
  if (run.hosted) {
    waiting = next_hosted(run, task);
  } else {
    const std::lock_guard lock(mutex_);
    waiting = next(run, task);
  }
  if (waiting == 0) waiting = wait(run, task, end, seen);
  const auto slice_end = run.hosted ? Clock::now() + kHostSlice : Clock::time_point();
  std::size_t budget = max_events > 0 ? static_cast<std::size_t>(max_events) : waiting;
  std::size_t ran = 0;
  while (waiting != 0) {
    ++ran;
    run.perform(task);
    run.look_after_home();
    if (wakes() != seen) break;
    if (ran < budget) {
      const std::lock_guard lock(mutex_);
      waiting = next(run, task);
    }
    if (ran < budget && waiting != 0) continue;
    // The answer of one alone has to reach its client before anything else can come. It is written
    // when the run ends, and the host waits for what follows.
    if (!run.hosted || ran == 1 || max_events > 0 || run.now >= slice_end) break;
    // What is answered brings the next requests.
    waiting = next_hosted(run, task);
    budget = ran + waiting;
  }
  return static_cast<int>(ran);
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
    tell_followers();
    wake_leader();
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
    if (!led_ || strands_.open()) tell_a_follower();
  } else if (strands_.open()) {
    wake_leader();
  }
}

// By mutex_.
void Queue::wake_leader() {
  if (disarm()) doorbell_.ring();
}

void Queue::leave(Run& run) {
  const std::lock_guard lock(mutex_);
  strands_.release(run.claim);
  if (runs_ > 0 && --runs_ == 0) {
    attended_.store(false);
    resting_.notify_all();
  }
  hand_on();
  loaned_ = run.lent;
  t_lent = run.lent ? run.home.get() : nullptr;
  if (!watched_) return;
  doorbell_.hush();
  if (strands_.open()) {
    doorbell_.ring();
  } else {
    armed_ = true;
  }
}

bool Queue::take_lent(const Consumer* application) {
  if (t_lent != application) return false;
  t_lent = nullptr;
  return true;
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
  new (&attached_) std::vector<std::weak_ptr<Consumer>>;
  driven_ = nullptr;
  new (&hosted_) std::weak_ptr<Consumer>;
  host_.forget();
  loaned_ = false;
  attended_.store(false);
  SignalWatch::forget();
  followers_ = runs_ = awaited_ = 0;
  watch_sleeps_ = false;
  led_ = armed_ = main_follows_ = false;
  wakes_.fetch_add(1);
}

}  // namespace httpuv::python
