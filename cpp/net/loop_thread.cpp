#include "net/loop_thread.h"

#include <signal.h>
#include <uv.h>

#include <cassert>
#include <chrono>
#include <utility>

namespace httpuv::net {

namespace {

thread_local const LoopThread* current = nullptr;

}  // namespace

LoopThread::~LoopThread() {
  assert(!started_);
}

int LoopThread::start(std::function<void()> body) {
  assert(!started_);
  body_ = std::move(body);
  // A thread inherits its creator's mask: no moment in which a signal could be delivered to it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    sigdelset(&all, fault);
  }
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&thread_, nullptr, &LoopThread::enter, this);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0) return uv_translate_sys_error(error);
  started_ = true;
  return 0;
}

void* LoopThread::enter(void* self) {
  current = static_cast<const LoopThread*>(self);
#ifdef __APPLE__
  pthread_setname_np("httpuv");
#else
  pthread_setname_np(pthread_self(), "httpuv");
#endif
  auto* const thread = static_cast<LoopThread*>(self);
  thread->body_();
  const std::lock_guard lock(thread->mutex_);
  thread->at_end_ = true;
  thread->ended_.notify_all();  // under the lock: whoever waits may destroy this once it has joined
  return nullptr;
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
