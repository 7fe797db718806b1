// The thread a loop runs on.
//
// What: one thread of start_thread(), which blocks signals.
// Thread: start() and join() on the owner's thread; is_current() anywhere.
// Ownership: joined before it is destroyed; in a forked child, where it does not exist,
//   forgotten.
// Failure: start() answers a negative libuv error number (UV_EAGAIN: no more threads).
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <functional>
#include <mutex>

namespace httpuv::net {

class LoopThread {
 public:
  LoopThread() = default;
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  int start(std::function<void()> body);
  void join();  // idempotent; not from the thread itself
  // Waits so many milliseconds for the body to return; whether it has. Any other thread.
  bool wait(int timeout_ms);
  void forget();  // in a forked child: the thread does not exist here
  bool started() const { return started_; }
  bool is_current() const;

 private:
  pthread_t thread_{};
  bool started_ = false;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool at_end_ = false;  // by mutex_
};

}  // namespace httpuv::net
