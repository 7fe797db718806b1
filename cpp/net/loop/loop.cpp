#include "net/loop/loop.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <thread>
#include <utility>

#include "net/loop/uv_memory.h"

namespace httpuv::net {

namespace {

// How long the tasks of one turn may take together, before the loop polls.
constexpr std::uint64_t kTurnTasksNs = 2'000'000;

}  // namespace

std::unique_ptr<Loop> Loop::create(int* error, std::shared_ptr<Lanes> lanes) {
  reserve_uv_memory();
  std::unique_ptr<Loop> loop(new Loop(std::move(lanes)));
  *error = loop->init();
  if (*error != 0) return nullptr;
  return loop;
}

Loop::Loop(std::shared_ptr<Lanes> lanes)
    : lanes_(std::move(lanes)),
      completions_(std::make_shared<Completions>([this] { uv_async_send(&work_async_); })),
      timers_(this),
      read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferSize)) {}

int Loop::init() {
  int error = uv_loop_init(&uv_);
  if (error != 0) return error;
  uv_.data = this;
  error = uv_async_init(&uv_, &async_, [](uv_async_t* handle) {
    Loop& self = of(handle->loop);
    if (self.on_wake) self.guarded(self.on_wake);
  });
  if (error != 0) {
    uv_loop_close(&uv_);
    return error;
  }
  // The second and later handles of this kind cannot fail.
  uv_async_init(&uv_, &work_async_, [](uv_async_t* handle) { of(handle->loop).finish_work(); });
  // These three cannot fail. Prepare, not check, marks the turn's end: it runs last before the
  // poll, after timers and closing handles too, so that nothing they cause waits for the next
  // event.
  uv_prepare_init(&uv_, &prepare_);
  uv_idle_init(&uv_, &idle_);
  uv_timer_init(&uv_, &timer_);
  uv_timer_init(&uv_, &limit_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    Loop& self = of(handle->loop);
    if (self.on_turn_end) self.guarded(self.on_turn_end);
  });
  // What a forked child closes. libuv also holds an eventfd (elsewhere a pipe) for uv_async_send(),
  // /dev/null and, on Linux, an io_uring that batches epoll_ctl. None of them keeps a connection or
  // a port alive, and libuv has no public name for them: a child may carry them.
  descriptors_.add(uv_backend_fd(&uv_));
  initialised_ = true;
  const std::lock_guard lock(wake_mutex_);
  wakeable_ = true;
  return 0;
}

Loop::~Loop() {
  if (initialised_ && !done_) {
    finish();
    run();
  }
  for (const int fd : bell_fds_) {
    if (fd >= 0) close_descriptor(fd);
  }
}

void Loop::run() {
  adopt();
  while (turn(-1)) {
  }
  close();
}

void Loop::adopt() {
  owner_.bind();
  uv_update_time(&uv_);  // as libuv does itself where it runs without a break
}

bool Loop::turn(int wait_ms) {
  owner_.assert_here();
  if (wait_ms > 0) {
    uv_timer_start(
        &limit_, [](uv_timer_t*) {}, static_cast<std::uint64_t>(wait_ms), 0);
  }
  const int left = uv_run(&uv_, wait_ms == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
  if (wait_ms > 0 && !ended_) uv_timer_stop(&limit_);
  return left != 0;
}

void Loop::close() {
  assert(ended_);
  {
    const std::lock_guard lock(descriptors_.gate());
    descriptors_.remove(uv_backend_fd(&uv_));
    [[maybe_unused]] const int error = uv_loop_close(&uv_);
    assert(error == 0);
  }
  done_ = true;
  lanes_.reset();
}

void Loop::finish() {
  finishing_ = true;
  end_if_idle();
}

void Loop::closed() {
  assert(open_ > 0);
  --open_;
  end_if_idle();
}

void Loop::end_if_idle() {
  if (!finishing_ || ended_ || open_ > 0) return;
  ended_ = true;
  abandon_work();
  {
    const std::lock_guard lock(wake_mutex_);
    wakeable_ = false;
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&work_async_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&limit_), nullptr);
  if (bell_fds_[0] >= 0) uv_close(reinterpret_cast<uv_handle_t*>(&bell_), nullptr);
  exposure_.close();
}

int Loop::bell() {
  owner_.assert_here();
  if (bell_fds_[0] < 0 && !ended_) open_bell();
  return bell_fds_[1];
}

void Loop::open_bell() {
  int fds[2];
  const std::lock_guard lock(descriptors_.gate());
  if (uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE) != 0) return;
  if (uv_poll_init(&uv_, &bell_, fds[0]) != 0) {
    ::close(fds[0]);
    ::close(fds[1]);
    return;
  }
  for (int i = 0; i < 2; ++i) {
    bell_fds_[i] = fds[i];
    descriptors_.add(fds[i]);
  }
  uv_poll_start(&bell_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    Loop& self = of(handle->loop);
    self.bell_rang_ = true;
    char bytes[64];
    while (::read(self.bell_fds_[0], bytes, sizeof bytes) > 0) {
    }
  });
}

bool Loop::linger(std::chrono::microseconds most, const std::function<bool()>& ready) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + most;
  lingering_.store(true);
  do {
    std::this_thread::yield();
  } while (!ready() && Clock::now() < end);
  lingering_.store(false);
  return ready();
}

void Loop::wake() noexcept {
  if (lingering_.load()) return std::this_thread::yield();
  const std::lock_guard lock(wake_mutex_);
  if (wakeable_) uv_async_send(&async_);
}

std::shared_ptr<Work> Loop::begin_work(std::function<bool()> job, Done done) {
  assert(lanes_ != nullptr && !ended_);
  auto work = std::make_shared<Work>();
  work->job = std::move(job);
  work->done = std::move(done);
  work->completions = completions_;
  return work;
}

void Loop::hold(const std::shared_ptr<Work>& work) {
  outstanding_.append(*work);
  work->outstanding = work;
}

std::shared_ptr<Work> Loop::let_go(Work& work) {
  work.remove();
  return std::move(work.outstanding);
}

void Loop::work_on_disk(std::uint64_t device, std::function<void()> job, Done done) {
  const std::shared_ptr<Work> work = begin_work(
      [job = std::move(job)] {
        job();
        return false;
      },
      std::move(done));
  lanes_->disk(device, work);
  hold(work);
}

void Loop::compute(std::uint64_t lane, std::function<bool()> slice, Done done) {
  const std::shared_ptr<Work> work = begin_work(std::move(slice), std::move(done));
  lanes_->compute(lane, work);
  hold(work);
}

void Loop::finish_work() {
  WorkQueue finished = completions_->drain();
  while (!finished.empty()) {
    const std::shared_ptr<Work> work = finished.take();
    if (work->abandoned.load(std::memory_order_relaxed)) continue;
    let_go(*work);
    guarded([&] { work->done(work->ran); });
  }
}

void Loop::abandon_work() {
  completions_->close();
  while (!outstanding_.empty()) {
    const std::shared_ptr<Work> work = let_go(static_cast<Work&>(*outstanding_.next));
    work->done = nullptr;
    work->abandoned.store(true, std::memory_order_release);
  }
  const WorkQueue finished = completions_->drain();  // they own the completions: not to stay there
}

void Loop::set_alarm(std::int64_t at_ms) {
  if (ended_) return;
  alarm_at_ = at_ms;
  const std::int64_t wait = std::max<std::int64_t>(at_ms - now_ms(), 0);
  uv_timer_start(
      &timer_, [](uv_timer_t* handle) { of(handle->loop).alarm_rang(); },
      static_cast<std::uint64_t>(wait), 0);
}

void Loop::alarm_rang() {
  if (now_ms() - alarm_at_ > TimerWheel::kTickMs) return late_.begin();
  if (!late_.waiting()) timers_.advance(now_ms());
}

void Loop::LateAlarm::begin() {
  if (waiting()) return;
  polled_ = false;
  loop_.run_next_turn(*this);
}

// Turn tasks run before the poll of their turn: the second one comes behind a poll.
void Loop::LateAlarm::run_turn() noexcept {
  if (!std::exchange(polled_, true)) return loop_.run_next_turn(*this);
  loop_.timers_.advance(loop_.now_ms());
}

void Loop::run_next_turn(TurnTask& task) {
  if (ended_ || task.waiting()) return;
  turn_tasks_.append(task);
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&idle_)) == 0) {
    uv_idle_start(&idle_, [](uv_idle_t* handle) { of(handle->loop).run_turn_tasks(); });
  }
}

void Loop::run_turn_tasks() {
  const std::uint64_t until = uv_hrtime() + kTurnTasksNs;
  turn_tasks_.run([until] { return uv_hrtime() >= until; });
  if (turn_tasks_.empty() && !ended_) uv_idle_stop(&idle_);
}

void Loop::close_descriptor(int fd) {
  const std::lock_guard lock(descriptors_.gate());
  descriptors_.remove(fd);
  ::close(fd);
}

void Loop::before_fork() {
  descriptors_.hold();
  forking_ = true;
  forked_.store(true, std::memory_order_relaxed);
}

void Loop::after_fork() {
  if (std::exchange(forking_, false)) descriptors_.release();
}

void Loop::forget_in_child() noexcept {
  descriptors_.close_all();
}

}  // namespace httpuv::net
