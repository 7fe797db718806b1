// A queue with many producers and one consumer, which takes all items at once. After close()
// nothing gets in, so no item is lost unseen.
//
// Any thread may post; one thread drains. The mailbox does not wake its consumer: the producer
// that gets kFirst does. The mailbox counts the waiting bytes; a producer may wait for the consumer
// if they are too many. T is moved in and out under one mutex.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace httpuv::base {

enum class Post {
  kQueued,  // items waited already: their producer has woken the consumer
  kFirst,   // the queue was empty: wake the consumer
  kClosed,  // not taken; the argument is unchanged
};

template <class T>
class Mailbox {
 public:
  // The item counts `bytes` until it is drained.
  Post post(T&& item, std::size_t bytes = 0) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Post::kClosed;
    const bool first = items_.empty();
    items_.push_back(std::move(item));
    bytes_.store(bytes_.load(std::memory_order_relaxed) + bytes, std::memory_order_relaxed);
    return first ? Post::kFirst : Post::kQueued;
  }

  bool empty() {
    const std::lock_guard lock(mutex_);
    return items_.empty();
  }

  // Any thread: the bytes that wait.
  [[nodiscard]] std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::atomic<std::size_t>& bytes_waiting() const { return bytes_; }
  // Any thread: the number of drains.
  [[nodiscard]] std::uint64_t drains() const { return drains_.load(std::memory_order_relaxed); }

  // Any thread except the consumer, which must be awake: waits until less than `bytes` wait, the
  // mailbox is closed, or the time has passed.
  void wait_below(std::size_t bytes, std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    ++waiters_;
    room_.wait_for(lock, most, [&] { return closed_ || this->bytes() < bytes; });
    --waiters_;
  }

  // Swaps all waiting items into `into`. Items of `into` are dropped; its capacity is used for the
  // next items. False if nothing waited.
  bool drain(std::vector<T>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    items_.swap(into);
    emptied();
    return !into.empty();
  }

  // Closes the mailbox. `rest` receives the waiting items.
  void close(std::vector<T>& rest) {
    rest.clear();
    const std::lock_guard lock(mutex_);
    closed_ = true;
    items_.swap(rest);
    emptied();
  }

  // In a forked child, which lacks the threads that held the mutex or waited: destroying a
  // condition variable with waiters would wait for them.
  void forget_threads() {
    new (&mutex_) std::mutex;
    new (&room_) std::condition_variable;
    waiters_ = 0;
  }

 private:
  // By mutex_.
  void emptied() {
    bytes_.store(0, std::memory_order_relaxed);
    drains_.store(drains_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (waiters_ != 0) room_.notify_all();
  }

  std::mutex mutex_;
  std::vector<T> items_;
  std::atomic<std::size_t> bytes_{0};     // written by mutex_
  std::atomic<std::uint64_t> drains_{0};  // written by mutex_
  std::condition_variable room_;
  std::size_t waiters_ = 0;  // by mutex_
  bool closed_ = false;
};

}  // namespace httpuv::base
