// Counts the bytes that a thread sends between two drains of the mailbox. It bounds threads that
// must not wait; other threads wait in Application::wait_for_room().
//
// With the GIL held, from any thread; a member of the sending object. Never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

namespace httpuv::python {

class Burst {
 public:
  // Whether so many more bytes may be sent; counts them if so. `drains`: Server::drains().
  bool admits(std::uint64_t drains, std::size_t bytes, std::size_t most) {
    const std::lock_guard lock(mutex_);
    if (drains != drains_) {
      drains_ = drains;
      bytes_ = 0;
    }
    if (bytes_ != 0 && bytes_ + bytes > most) return false;
    bytes_ += bytes;
    return true;
  }

 private:
  std::mutex mutex_;
  std::uint64_t drains_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace httpuv::python
