// A queue with many producers and one consumer that takes everything at once, and that can be
// closed: from then on nothing gets in, so nothing is ever left behind unseen.
//
// Any thread may post; one thread drains. The mailbox does not wake its consumer: a producer that
// is told kFirst does. T is moved in and out under one mutex, held for as long as that takes.
#pragma once

#include <mutex>
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
  Post post(T&& item) {
    const std::lock_guard lock(mutex_);
    if (closed_) return Post::kClosed;
    const bool first = items_.empty();
    items_.push_back(std::move(item));
    return first ? Post::kFirst : Post::kQueued;
  }

  bool empty() {
    const std::lock_guard lock(mutex_);
    return items_.empty();
  }

  // Swaps everything that waits into `into`, whose own items are dropped but whose capacity is
  // used for what comes next. False when nothing waited.
  bool drain(std::vector<T>& into) {
    into.clear();
    const std::lock_guard lock(mutex_);
    items_.swap(into);
    return !into.empty();
  }

  // Nothing gets in any more. `rest` receives what waited.
  void close(std::vector<T>& rest) {
    rest.clear();
    const std::lock_guard lock(mutex_);
    closed_ = true;
    items_.swap(rest);
  }

 private:
  std::mutex mutex_;
  std::vector<T> items_;
  bool closed_ = false;
};

}  // namespace httpuv::base
