#include "net/loop/loop_thread.h"

#include <cassert>
#include <chrono>
#include <utility>

#include "net/lanes/thread.h"

namespace httpuv::net {

namespace {

thread_local const LoopThread* current = nullptr;

}  // namespace

LoopThread::~LoopThread() {
  assert(!started_);
}

int LoopThread::start(std::function<void()> body) {
  assert(!started_);
  const int error = start_thread(&thread_, "httpuv", [this, body = std::move(body)] {
    current = this;
    body();
    const std::lock_guard lock(mutex_);
    at_end_ = true;
    ended_.notify_all();  // locked: the thread that waits may destroy this once it has joined
  });
  started_ = error == 0;
  return error;
}

void LoopThread::join() {
  if (!started_) return;
  assert(!is_current());
  pthread_join(thread_, nullptr);
  started_ = false;
}

bool LoopThread::wait(int timeout_ms) {
  std::unique_lock lock(mutex_);
  return ended_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return at_end_; });
}

void LoopThread::forget() {
  started_ = false;
}

bool LoopThread::is_current() const {
  return current == this;
}

}  // namespace httpuv::net
