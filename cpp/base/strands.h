// A line of tasks that several threads empty: those of one key leave in their order and one at a
// time, those of different keys at once.
//
// Not locked: threads that share one hold a mutex for every call. A thread that works at a task
// claims its key. What another thread finds for that key in the line it leaves with the claim, and
// behind the claim's end these tasks are first in line again: so each task is moved twice at most,
// however many wait for one key, and a single thread that empties the line never moves any. Within
// its own claims a thread may begin others, for the same keys too: a callback that runs callbacks.
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

  // One loop of one thread, on its stack: at most one task at a time. To be released in the end.
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
    std::list<Task> left_;    // what other threads found for the key
  };

  void push(Batch&& batch) {
    size_ += batch.size();
    line_.push_back(std::move(batch));
  }

  // Ends the task that the claim is at, and takes the next one for it. False if there is none that
  // this thread may begin now.
  bool next(Claim& claim, Task& into) {
    release(claim);
    bool found = from_own(claim, into) || from_freed(claim, into);
    while (!found && !line_.empty()) found = from_line(claim, into);
    if (found) --size_;
    return found;
  }

  // Ends the task that the claim is at, if it is at one.
  void release(Claim& claim) {
    if (!claim.key_ || claims_.empty()) return;
    if (claims_.back() == &claim) {  // as it is but for several threads
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

  // Whether this thread works at a task.
  [[nodiscard]] bool works(std::thread::id thread) const {
    return std::any_of(claims_.begin(), claims_.end(),
                       [&](const Claim* each) { return each->thread_ == thread; });
  }
  // How many threads do.
  [[nodiscard]] std::size_t threads() const { return threads_; }
  // How many tasks wait, those included that may not begin now.
  [[nodiscard]] std::size_t size() const { return size_; }
  // Whether next() may find something for any thread; if it does not, this is false afterwards.
  [[nodiscard]] bool open() const { return !line_.empty() || !freed_.empty(); }
  // Whether next() may find something for this one.
  [[nodiscard]] bool open(std::thread::id thread) const {
    return open() || std::any_of(claims_.begin(), claims_.end(), [&](const Claim* each) {
             return each->thread_ == thread && !each->left_.empty();
           });
  }
  // The batch that was emptied last, for its memory.
  Batch& spent() { return spent_; }
  // Tells once whether tasks were left with a claim: its thread may be waiting for them, in a loop
  // within.
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

  // From what was left with a claim of the same thread, which is busy beneath this one.
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
  std::deque<Freed> freed_;     // of keys that no thread holds, each once
  std::vector<Claim*> claims_;  // that are at a task, in the order of their beginning
  std::size_t threads_ = 0;
  std::size_t size_ = 0;
  bool left_ = false;
  Batch spent_{};
};

}  // namespace httpuv::base
