// A queue with many producers and one consumer that takes everything at once, and that can be
// closed: from then on nothing gets in, so nothing is ever left behind unseen.
//
// Any thread may post; one thread drains. The mailbox does not wake its consumer: a producer that
// is told kFirst does. It counts the bytes that wait, and a producer that is told of too many may
// wait for the consumer. T is moved in and out under one mutex, held for as long as that takes.
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
  kQueued,  // something waited already: its producer has rung
  kFirst,   // the queue was empty: ring
  kClosed,  // not taken; the argument is as it was
};

template <class T>
class Mailbox {
 public:
  // `bytes` is what the item counts for until it is drained.
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

  // Any thread: what waits counts for so much.
  [[nodiscard]] std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  [[nodiscard]] const std::atomic<std::size_t>& bytes_waiting() const { return bytes_; }
  // Any thread: how often everything was taken.
  [[nodiscard]] std::uint64_t drains() const { return drains_.load(std::memory_order_relaxed); }

  // Any thread but the consumer, which must be awake: waits until less than `bytes` wait, the
  // mailbox is closed, or so much time has passed.
  void wait_below(std::size_t bytes, std::chrono::milliseconds most) {
    std::unique_lock lock(mutex_);
    ++waiters_;
    room_.wait_for(lock, most, [&] { return closed_ || this->bytes() < bytes; });
    --waiters_;
  }

  // Swaps everything that waits into `into`, whose own items are dropped but whose capacity is
  // used for what comes next. False when nothing waited.
  bool drain(std::vector<T>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    items_.swap(into);
    emptied();
    return !into.empty();
  }

  // Nothing gets in any more. `rest` receives what waited.
  void close(std::vector<T>& rest) {
    rest.clear();
    const std::lock_guard lock(mutex_);
    closed_ = true;
    items_.swap(rest);
    emptied();
  }

  // In a forked child, where a thread that held the mutex or waited does not exist: destroying a
  // condition that has waiters would wait for them.
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
