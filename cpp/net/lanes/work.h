// One piece of work that would make the loop wait, on its way to a lane thread and back.
//
// What: the job, what follows it on the loop, and the queues both go through. A queue is a chain of
//   the pieces themselves: queuing allocates nothing and so cannot fail.
// Thread: `job` runs on a lane thread, `done` on the loop thread. Completions: add() on any thread,
//   the rest on the loop thread.
// Ownership: shared by the loop, which knows what is outstanding, and the lane that runs it. What
//   the loop abandons is destroyed by the lane when the job returns: the job owns all it touches.
// Failure: a job that runs out of memory ends; `done` is told.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "base/list_link.h"

namespace httpuv::net {

class Completions;

struct Work : ListLink {  // in the loop's list of outstanding work
  // Runs the next slice. True: there is more to do; other lanes run first. False: it is done.
  std::function<bool()> job;
  // False: the job was given up, because memory ran out.
  std::function<void(bool ran)> done;
  std::shared_ptr<Completions> completions;
  std::atomic<bool> abandoned{false};
  bool ran = true;                    // the lane's until the loop gets it back
  std::shared_ptr<Work> next;         // in the queue that it is in
  std::shared_ptr<Work> outstanding;  // itself, as long as it is in the loop's list
};

class WorkQueue {
 public:
  WorkQueue() = default;
  WorkQueue(WorkQueue&& other) noexcept
      : first_(std::move(other.first_)), last_(std::exchange(other.last_, nullptr)) {}
  WorkQueue& operator=(WorkQueue&&) = delete;
  // One by one: the destructor of a long chain would recurse.
  ~WorkQueue() {
    while (!empty()) take();
  }

  bool empty() const { return first_ == nullptr; }
  void add(std::shared_ptr<Work> work) {
    Work* const added = work.get();
    (last_ == nullptr ? first_ : last_->next) = std::move(work);
    last_ = added;
  }
  void put_back(std::shared_ptr<Work> work) {
    if (last_ == nullptr) last_ = work.get();
    work->next = std::move(first_);
    first_ = std::move(work);
  }
  // Not of an empty queue.
  std::shared_ptr<Work> take() {
    std::shared_ptr<Work> work = std::move(first_);
    first_ = std::move(work->next);
    if (first_ == nullptr) last_ = nullptr;
    return work;
  }

 private:
  std::shared_ptr<Work> first_;
  Work* last_ = nullptr;
};

// Where finished work waits for its loop. Outlives the loop if a job does.
class Completions {
 public:
  // `wake` is called under a lock, until close().
  explicit Completions(std::function<void()> wake) : wake_(std::move(wake)) {}

  // After close() it does nothing: the work ends with its last owner.
  void add(std::shared_ptr<Work> work) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    done_.add(std::move(work));
    wake_();
  }
  WorkQueue drain() {
    const std::lock_guard lock(mutex_);
    return std::move(done_);
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }

 private:
  std::mutex mutex_;
  std::function<void()> wake_;
  WorkQueue done_;
  bool closed_ = false;
};

}  // namespace httpuv::net
