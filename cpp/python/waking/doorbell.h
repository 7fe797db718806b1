// A file descriptor that is readable after ring() until clear(). Threads wait for it in poll(2), in
// an asyncio loop or in a GUI's loop. An eventfd on Linux, a pipe elsewhere.
// Any thread; never blocks. The constructor throws std::system_error when descriptors run out.
#pragma once

#include <atomic>

namespace httpuv::python {

class Doorbell {
 public:
  enum class Kind { kAny, kPipe };  // kPipe: a signal handler may write a byte to write_fd()
  explicit Doorbell(Kind kind = Kind::kAny);
  ~Doorbell();
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;

  void ring() noexcept;
  void clear() noexcept;
  // The same for what ring() has written only; it costs nothing where that was not called.
  void hush() noexcept;
  // Waits at most so long (milliseconds, -1: for ever), and for another descriptor, too, unless
  // that is -1. False on a time-out or a signal.
  bool wait(int timeout_ms, int other = -1) noexcept;
  [[nodiscard]] int fd() const { return read_fd_; }
  [[nodiscard]] int write_fd() const { return write_fd_; }

 private:
  int read_fd_ = -1;
  int write_fd_ = -1;  // the same one where it is an eventfd
  std::atomic<bool> rung_{false};
};

}  // namespace httpuv::python
