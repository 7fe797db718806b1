#include "python/queue.h"

#include <algorithm>
#include <climits>
#include <csignal>
#include <new>
#include <utility>

#include "python/application.h"
#include "python/runtime/gil.h"
#include "python/runtime/signal_watch.h"

namespace py = pybind11;

namespace httpuv::python {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// A loop is told of the answers it got after this many, or when the batch is through: on one core
// every telling is a switch of threads. A callback that takes long in between does not hold them
// up: the loop looks by itself while the application owes answers.
constexpr int kAnswersPerRing = 32;

// How long a wait of the main thread lasts before Python's signal handlers get their turn, where
// nothing tells it of a signal (see SignalWatch). A signal does not end the wait of a loop's turn.
constexpr int kSignalCheckMs = 25;

// A thread that has had to wait this long for the GIL leaves the loop to its own thread for a
// while: other threads run Python, and while this one waits for them nothing would drive the loop.
constexpr std::chrono::microseconds kSlowGil{300};
constexpr std::chrono::milliseconds kContended{50};

// After this long in callbacks the loop has a turn between two of them: long before its own thread
// takes it, so that a batch of short callbacks never costs a hand-over.
constexpr std::chrono::microseconds kAway{500};

int shorter(int limit_ms, int other_ms) {
  return limit_ms < 0 ? other_ms : std::min(limit_ms, other_ms);
}

// Whether the end of a connection would end the process, or call a handler of the program: Python
// ignores SIGPIPE, but the program may have changed that. The loop's own thread blocks it.
bool minds_broken_pipes() {
  struct sigaction action {};
  return sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler != SIG_IGN;
}

}  // namespace

// One run(), on the stack of its thread.
struct Queue::Run {
  Queue& queue;
  base::Strands<Delivery>::Claim claim;
  std::thread::id thread = std::this_thread::get_id();
  std::shared_ptr<Application> owing;  // its events were handled, its loop was not told
  int owed = 0;
  std::shared_ptr<Application> home;  // this thread drives its loop when it has nothing else to do
  Clock::time_point away{};           // when it left that loop
  bool again = false;

  explicit Run(Queue& of) : queue(of) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() {
    settle();
    // Without this the answers would wait until the loop's own thread finds it unattended.
    if (home != nullptr && !again && loop().resume()) loop().pause();
    queue.leave(*this);
  }

  // Between two callbacks.
  void look_after_home() {
    if (home == nullptr) return;
    const auto now = Clock::now();
    if (now - away < kAway) return;
    away = now;
    settle();
    if (!loop().resume()) return;
    loop().turn(0);
    loop().pause();
  }

  [[nodiscard]] server::Server& loop() const { return *home->server().only(); }

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
      owing->begin();
    }
    if (server::is_awaited(task.event)) ++owed;
    owing->handle(std::move(task.event));
    if (owed >= kAnswersPerRing) settle();
  }

  void settle() {
    if (owed > 0) owing->ring(std::exchange(owed, 0));
  }
};

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
    ring = disarm();
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
  driven_->ring();
  return false;
}

void Queue::attach(const std::shared_ptr<Application>& application) {
  bool ring = false;
  {
    const std::lock_guard lock(mutex_);
    attached_.push_back(application);
    ring = disarm();  // the leader may drive another server: no longer
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

int Queue::run(std::optional<double> timeout, int max_events, std::optional<std::uint64_t> wakes,
               bool again) {
  const std::uint64_t seen = wakes.value_or(this->wakes());
  // However it ends, loops learn of their answers, others that wait go on, and a watched descriptor
  // tells of what is left.
  Run run(*this);
  run.again = again;
  Task task;
  std::size_t waiting = 0;
  {
    const std::lock_guard lock(mutex_);
    ++runs_;
    attended_.store(true);
    ++served_;
    waiting = next(run, task);
  }
  if (waiting == 0 && !(timeout && *timeout <= 0)) waiting = wait(run, task, timeout, seen);
  const std::size_t budget = max_events > 0 ? static_cast<std::size_t>(max_events) : waiting;
  int ran = 0;
  while (waiting != 0) {
    ++ran;
    run.perform(task);
    run.look_after_home();
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

// Waits with the GIL released until there is a callback for the run. 0 on a time-out or wake().
std::size_t Queue::wait(Run& run, Task& task, std::optional<double> timeout, std::uint64_t seen) {
  const auto start = Clock::now();
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
    if (timeout) {
      const double left = *timeout - Seconds(Clock::now() - start).count();
      if (left <= 0) return 0;
      limit_ms = static_cast<int>(std::min(left * 1000 + 1, double{INT_MAX}));
    }
    if (!led_ && may_begin(run.thread)) {
      const Lead lead(*this);
      auto home = to_drive();
      const bool quiet = idle_;
      lock.unlock();
      run.home =
          std::move(home);  // the one before may be the last of its kind: not behind the lock
      wait_as_leader(run, seen, limit_ms, on_main_thread, quiet);
    } else if (on_main_thread) {
      follow_on_main_thread(lock, run, seen, limit_ms);
    } else {
      follow(lock, run, seen, limit_ms);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
}

void Queue::wait_as_leader(Run& run, std::uint64_t seen, int limit_ms, bool on_main_thread,
                           bool quiet) {
  Application* const home = run.home.get();
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
      drive(*home, seen, limit_ms, quiet);
    } else {
      if (doorbell_.wait(limit_ms, on_main_thread ? signals_.fd() : -1)) doorbell_.clear();
      if (on_main_thread && quiet) signals_.clear();
    }
    done = Clock::now();
  }
  run.away = Clock::now();
  if (run.away - done < kSlowGil) return;
  const std::lock_guard lock(mutex_);
  contended_until_ = run.away + kContended;
}

// Turns the loop until there is something for this thread to do. Without the GIL.
void Queue::drive(Application& application, std::uint64_t seen, int limit_ms, bool open_bell) {
  server::Server& server = *application.server().only();
  if (!server.drive()) return;
  if (open_bell && server.bell() < 0) server.open_bell();
  const auto end = Clock::now() + std::chrono::milliseconds(limit_ms);
  int left_ms = limit_ms;
  while (drives_on(seen) && server.drivable()) {
    server.turn(left_ms);
    if (server.bell_rang()) break;
    if (limit_ms < 0) continue;
    left_ms =
        static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count());
    if (left_ms <= 0) break;
  }
  server.pause();
}

// Whether the leader goes on driving: nothing waits, and no other thread has told it to look.
bool Queue::drives_on(std::uint64_t seen) {
  const std::lock_guard lock(mutex_);
  return armed_ && !strands_.open() && wakes() == seen;
}

// The server that the leader drives from now on; null: it waits for the doorbell. Either is armed.
// By mutex_.
std::shared_ptr<Application> Queue::to_drive() {
  armed_ = true;
  std::erase_if(attached_, [](const std::weak_ptr<Application>& each) {
    const auto application = each.lock();
    return application == nullptr || !application->server().answers();
  });
  if (attached_.size() == 1 && threads_ == 1 && !watched_ && Clock::now() >= contended_until_) {
    auto application = attached_.front().lock();
    const server::Server* const loop =
        application != nullptr ? application->server().only() : nullptr;
    if (loop != nullptr && loop->drivable() && !minds_broken_pipes()) {
      driven_ = application.get();
      driver_ = std::this_thread::get_id();
      return application;
    }
  }
  // What was driven until now is not left to itself.
  for (const auto& each : attached_) {
    if (const auto application = each.lock()) application->server().take_over();
  }
  return nullptr;
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

void Queue::leave(Run& run) {
  const std::lock_guard lock(mutex_);
  strands_.release(run.claim);
  if (runs_ > 0 && --runs_ == 0) {
    attended_.store(false);
    resting_.notify_all();
  }
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
  new (&attached_) std::vector<std::weak_ptr<Application>>;
  driven_ = nullptr;
  attended_.store(false);
  SignalWatch::forget();
  followers_ = runs_ = awaited_ = 0;
  watch_sleeps_ = false;
  led_ = armed_ = main_follows_ = false;
  wakes_.fetch_add(1);
}

}  // namespace httpuv::python
