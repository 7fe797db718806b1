// A queue of tasks for several threads. Tasks of one key run in order and one at a time; tasks of
// different keys run at the same time.
//
// Not locked: threads that share a queue hold a mutex for every call. A thread that runs a task
// claims its key. Another thread that finds a task of this key moves it to the claim; when the
// claim ends, these tasks go to the front of the queue. So each task is moved twice at most, and a
// single thread moves none. A thread may begin further claims inside its own, also for the same
// keys: that is a callback that runs callbacks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <list>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace httpuv::base {

// Batch: tasks that came together. It has the types Key and Task, and
//   std::size_t size() const   how many are left
//   Key key() const            the key of the next
//   void take(Task&)           moves the next one out
template <class Batch>
class Strands {
 public:
  using Key = typename Batch::Key;
  using Task = typename Batch::Task;

  // One loop of one thread, on its stack: at most one task at a time. The owner releases it.
  class Claim {
   public:
    explicit Claim(std::thread::id thread = std::this_thread::get_id()) : thread_(thread) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

   private:
    friend class Strands;
    const std::thread::id thread_;
    std::optional<Key> key_;
    bool outermost_ = false;  // of its thread's
    std::list<Task> left_;    // tasks that other threads found for the key
  };

  void push(Batch&& batch) {
    const std::size_t size = batch.size();
    line_.push_back(std::move(batch));  // without memory for it the batch is as it was
    size_ += size;
  }

  // Ends the current task of the claim, and takes the next one. False if there is none that this
  // thread may begin now.
  bool next(Claim& claim, Task& into) {
    release(claim);
    bool found = from_own(claim, into) || from_freed(claim, into);
    while (!found && !line_.empty()) found = from_line(claim, into);
    if (found) --size_;
    return found;
  }

  // Ends the current task of the claim, if there is one.
  void release(Claim& claim) {
    if (!claim.key_ || claims_.empty()) return;
    if (claims_.back() == &claim) {  // the usual case: one thread
      claims_.pop_back();
    } else if (std::erase(claims_, &claim) == 0) {
      return;
    }
    if (claim.outermost_) --threads_;
    if (!claim.left_.empty()) {
      freed_.push_back({*claim.key_, std::exchange(claim.left_, {})});
    }
    claim.key_.reset();
  }

  // Whether this thread runs a task.
  [[nodiscard]] bool works(std::thread::id thread) const {
    return std::any_of(claims_.begin(), claims_.end(),
                       [&](const Claim* each) { return each->thread_ == thread; });
  }
  // The number of threads that run a task.
  [[nodiscard]] std::size_t threads() const { return threads_; }
  // The number of waiting tasks, also those that may not begin now.
  [[nodiscard]] std::size_t size() const { return size_; }
  // Whether next() may find a task for any thread; after a next() without a task it is false.
  [[nodiscard]] bool open() const { return !line_.empty() || !freed_.empty(); }
  // Whether next() may find a task for this thread.
  [[nodiscard]] bool open(std::thread::id thread) const {
    return open() || std::any_of(claims_.begin(), claims_.end(), [&](const Claim* each) {
             return each->thread_ == thread && !each->left_.empty();
           });
  }
  // The last emptied batch, to reuse its memory.
  Batch& spent() { return spent_; }
  // Whether tasks were moved to a claim since the last call: its thread may be waiting for them in
  // an inner loop.
  bool left() { return std::exchange(left_, false); }

 private:
  struct Freed {
    Key key;
    std::list<Task> tasks;
  };

  Claim* holder(const Key& key) const {
    const auto found = std::find_if(claims_.begin(), claims_.end(),
                                    [&](const Claim* each) { return *each->key_ == key; });
    return found != claims_.end() ? *found : nullptr;
  }

  void hold(Claim& claim, const Key& key) {
    claim.outermost_ = !works(claim.thread_);
    if (claim.outermost_) ++threads_;
    claim.key_ = key;
    claims_.push_back(&claim);
  }

  // From the tasks of an outer claim of the same thread, which is busy with this inner one.
  bool from_own(Claim& claim, Task& into) {
    for (Claim* const each : claims_) {
      if (each->thread_ != claim.thread_ || each->left_.empty()) continue;
      into = std::move(each->left_.front());
      each->left_.pop_front();
      hold(claim, *each->key_);
      return true;
    }
    return false;
  }

  // All that was freed goes with its first task.
  bool from_freed(Claim& claim, Task& into) {
    if (freed_.empty()) return false;
    Freed& freed = freed_.front();
    into = std::move(freed.tasks.front());
    freed.tasks.pop_front();
    hold(claim, freed.key);
    claim.left_ = std::move(freed.tasks);
    freed_.pop_front();
    return true;
  }

  bool from_line(Claim& claim, Task& into) {
    Batch& batch = line_.front();
    const Key key = batch.key();
    batch.take(into);
    if (batch.size() == 0) {
      spent_ = std::move(batch);
      line_.pop_front();
    }
    // The outermost claim of a thread is the first, and has what is left for it.
    Claim* const other = holder(key);
    if (other != nullptr && other->thread_ != claim.thread_) {
      other->left_.push_back(std::move(into));
      left_ = true;
      return false;
    }
    hold(claim, key);
    return true;
  }

  std::deque<Batch> line_;
  std::deque<Freed> freed_;     // tasks of keys without a claim, each key once
  std::vector<Claim*> claims_;  // claims that run a task, in the order of their start
  std::size_t threads_ = 0;
  std::size_t size_ = 0;
  bool left_ = false;
  Batch spent_{};
};

}  // namespace httpuv::base
