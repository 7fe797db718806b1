#include "net/loop_thread.h"

#include <signal.h>
#include <uv.h>

#include <cassert>
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
  static_cast<LoopThread*>(self)->body_();
  return nullptr;
}

void LoopThread::join() {
  if (!started_) return;
  assert(!is_current());
  pthread_join(thread_, nullptr);
  started_ = false;
}

void LoopThread::forget() {
  started_ = false;
}

bool LoopThread::is_current() const {
  return current == this;
}

}  // namespace httpuv::net
