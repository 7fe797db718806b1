#include "net/loop.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <thread>
#include <utility>

namespace httpuv::net {

namespace {

struct WorkRequest {
  uv_work_t request;
  Loop* loop;
  std::function<void()> job;
  std::function<void()> done;
};

}  // namespace

std::unique_ptr<Loop> Loop::create(int* error) {
  std::unique_ptr<Loop> loop(new Loop);
  *error = loop->init();
  if (*error != 0) return nullptr;
  return loop;
}

Loop::Loop()
    : timers_(this), read_buffer_(std::make_unique_for_overwrite<char[]>(kReadBufferSize)) {}

int Loop::init() {
  int error = uv_loop_init(&uv_);
  if (error != 0) return error;
  uv_.data = this;
  error = uv_async_init(&uv_, &async_, [](uv_async_t* handle) {
    Loop& self = of(handle->loop);
    if (self.on_wake) self.on_wake();
  });
  if (error != 0) {
    uv_loop_close(&uv_);
    return error;
  }
  // These three cannot fail. Prepare, not check, marks the turn's end: it runs last before the
  // poll, after timers and closing handles too, so that nothing they cause waits for the next
  // event.
  uv_prepare_init(&uv_, &prepare_);
  uv_idle_init(&uv_, &idle_);
  uv_timer_init(&uv_, &timer_);
  uv_prepare_start(&prepare_, [](uv_prepare_t* handle) {
    Loop& self = of(handle->loop);
    if (self.on_turn_end) self.on_turn_end();
  });
  // What a forked child closes. libuv also holds /dev/null and, on Linux, an io_uring that batches
  // epoll_ctl; neither keeps a connection or a port alive, so a child may carry them.
  descriptors_.add(uv_backend_fd(&uv_));
  descriptors_.add(uv_.async_io_watcher.fd);
  initialised_ = true;
  const std::lock_guard lock(wake_mutex_);
  wakeable_ = true;
  return 0;
}

Loop::~Loop() {
  if (!initialised_ || done_) return;
  finish();
  run();
}

void Loop::run() {
  uv_run(&uv_, UV_RUN_DEFAULT);
  assert(ended_);
  {
    const std::lock_guard lock(descriptors_.gate());
    descriptors_.remove(uv_backend_fd(&uv_));
    descriptors_.remove(uv_.async_io_watcher.fd);
    [[maybe_unused]] const int error = uv_loop_close(&uv_);
    assert(error == 0);
  }
  done_ = true;
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
  {
    const std::lock_guard lock(wake_mutex_);
    wakeable_ = false;
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), nullptr);
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

void Loop::work(std::function<void()> job, std::function<void()> done) {
  auto* work = new WorkRequest{{}, this, std::move(job), std::move(done)};
  work->request.data = work;
  opened();
  // Fails only without a job.
  uv_queue_work(
      &uv_, &work->request,
      [](uv_work_t* request) { static_cast<WorkRequest*>(request->data)->job(); },
      [](uv_work_t* request, int) {
        const std::unique_ptr<WorkRequest> finished(static_cast<WorkRequest*>(request->data));
        finished->done();
        finished->loop->closed();
      });
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
void Loop::LateAlarm::run_turn() {
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
  turn_tasks_.run();
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
