// Ends the wait of the main thread when a signal comes.
//
// What: while one lives, a signal handler of Python writes a byte to a descriptor that the thread
//   waits for, so that no signal is missed and none has to be looked for. This is the one slot that
//   signal.set_wakeup_fd() sets; where the program, or asyncio, uses it, it stays theirs, and the
//   thread must look for signals by itself.
// Thread: any, with the GIL held; only on the main thread it does anything. They do not nest.
// Owner: the stack. Failure: what signal.set_wakeup_fd() raises is thrown by the constructor.
#pragma once

namespace httpuv::python {

class SignalWatch {
 public:
  // `fd`: for writing, nonblocking; -1: none.
  explicit SignalWatch(int fd);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // Whether the thread may wait for as long as it likes.
  [[nodiscard]] bool complete() const { return complete_; }

  // Whether this thread is the one that Python runs signal handlers on.
  static bool on_main_thread();
  // In a forked child.
  static void forget();

 private:
  static int set(int fd);
  static void reset(int ours) noexcept;

  int fd_ = -1;
  bool complete_ = true;
};

}  // namespace httpuv::python
