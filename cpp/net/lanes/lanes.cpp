#include "net/lanes/lanes.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "net/lanes/thread.h"

namespace httpuv::net {

namespace {

// Twelve threads of the default 8 MiB would count against RLIMIT_AS and a strict overcommit limit.
constexpr std::size_t kStack = std::size_t{512} * 1024;

}  // namespace

// One set of threads and its queues. Each thread shares the ownership, so that one that hangs in a
// job may outlive everything else.
class Lanes::Pool : public std::enable_shared_from_this<Pool> {
 public:
  enum class Kind { kDisk, kCompute };
  explicit Pool(Kind kind) : kind_(kind) {}

  int start(unsigned count, const char* name);
  void submit(std::uint64_t lane, const std::shared_ptr<Work>& work);
  // Starts no further job and waits for those that run; threads that take longer are detached.
  void stop(const std::chrono::milliseconds* patience);

 private:
  struct Lane {
    WorkQueue queue;
    unsigned running = 0;  // threads
    bool begun = false;    // computing: the first job of the queue, or the running one
    std::uint64_t key = 0;
    Lane* next = nullptr;  // in the order of turns, while something is queued
    bool listed = false;
  };
  struct Thread {
    pthread_t handle{};
    bool ended = false;
  };

  void run(std::size_t index);
  Lane* pick();
  std::shared_ptr<Work> begin(Lane& lane);
  void end(Lane& lane, std::shared_ptr<Work> unfinished);
  [[nodiscard]] bool may_run(const Lane& lane) const {
    if (kind_ == Kind::kDisk) return lane.running < free_;
    return lane.running == 0 && (lane.begun || begun_ < kMaxBegun);
  }
  void list(Lane& lane);
  void wake_one();
  static bool step(Work& work);

  const Kind kind_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<std::uint64_t, Lane> lanes_;  // those with jobs
  Lane* first_ = nullptr;                          // lanes with work, in the order of their turns
  Lane* last_ = nullptr;
  unsigned free_ = 0;  // threads that run no job
  unsigned begun_ = 0;
  unsigned waiting_ = 0;  // threads that wait for jobs
  bool waking_ = false;   // one of them was notified and does not run yet
  unsigned live_ = 0;     // threads that have not ended
  bool stopping_ = false;
  std::vector<Thread> threads_;
};

int Lanes::Pool::start(unsigned count, const char* name) {
  threads_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::lock_guard lock(mutex_);
    const int error = start_thread(
        &threads_[i].handle, name, [self = shared_from_this(), i] { self->run(i); }, kStack);
    if (error != 0) {
      threads_.resize(i);
      return error;
    }
    ++free_;
    ++live_;
  }
  return 0;
}

void Lanes::Pool::submit(std::uint64_t lane, const std::shared_ptr<Work>& work) {
  const std::lock_guard lock(mutex_);
  Lane& its = lanes_[lane];
  its.key = lane;
  its.queue.add(work);
  list(its);
  wake_one();
}

void Lanes::Pool::list(Lane& lane) {
  if (lane.listed) return;
  lane.listed = true;
  lane.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &lane;
  last_ = &lane;
}

// Wakes a thread if there is a job for it, unless one is on its way: that one takes the job, and
// wakes the next thread if there is more. So many short jobs of one turn do not cost a switch of
// threads each.
void Lanes::Pool::wake_one() {
  if (waiting_ == 0 || waking_) return;
  for (const Lane* lane = first_; lane != nullptr; lane = lane->next) {
    if (!may_run(*lane)) continue;
    waking_ = true;
    return changed_.notify_one();
  }
}

// Takes the first lane that may run out of the order.
Lanes::Pool::Lane* Lanes::Pool::pick() {
  Lane* before = nullptr;
  for (Lane* lane = first_; lane != nullptr; before = lane, lane = lane->next) {
    if (!may_run(*lane)) continue;
    (before == nullptr ? first_ : before->next) = lane->next;
    if (last_ == lane) last_ = before;
    lane->listed = false;
    return lane;
  }
  return nullptr;
}

// True: there is more to do.
bool Lanes::Pool::step(Work& work) {
  try {
    return work.job();
  } catch (const std::bad_alloc&) {
    work.ran = false;
    return false;
  }
}

void Lanes::Pool::run(std::size_t index) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    Lane* const lane = pick();
    if (lane == nullptr) {
      ++waiting_;
      changed_.wait(lock);
      --waiting_;
      waking_ = false;
      continue;
    }
    std::shared_ptr<Work> work = begin(*lane);
    wake_one();
    lock.unlock();

    const bool dropped = work->abandoned.load(std::memory_order_acquire);
    const bool more = !dropped && step(*work);
    if (!more && !dropped) work->completions->add(work);
    if (!more) work.reset();

    lock.lock();
    end(*lane, std::move(work));
  }
  threads_[index].ended = true;
  --live_;
  changed_.notify_all();
}

std::shared_ptr<Work> Lanes::Pool::begin(Lane& lane) {
  std::shared_ptr<Work> work = lane.queue.take();
  if (!lane.queue.empty()) list(lane);
  ++lane.running;
  --free_;
  if (!std::exchange(lane.begun, true)) ++begun_;
  return work;
}

// `unfinished`: null when the job is done.
void Lanes::Pool::end(Lane& lane, std::shared_ptr<Work> unfinished) {
  --lane.running;
  ++free_;
  if (unfinished != nullptr) {
    lane.queue.put_back(std::move(unfinished));
  } else if (lane.running == 0) {
    lane.begun = false;
    --begun_;
  }
  if (!lane.queue.empty()) {
    list(lane);
  } else if (lane.running == 0) {
    lanes_.erase(lane.key);
  }
}

void Lanes::Pool::stop(const std::chrono::milliseconds* patience) {
  std::vector<Thread> threads;
  std::vector<WorkQueue> dropped;
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    const auto ended = [this] { return live_ == 0; };
    if (patience == nullptr) {
      changed_.wait(lock, ended);
    } else {
      changed_.wait_for(lock, *patience, ended);
    }
    threads = threads_;
    first_ = last_ = nullptr;
    for (auto& [device, lane] : lanes_) dropped.push_back(std::move(lane.queue));
  }
  for (const Thread& thread : threads) {
    if (thread.ended) {
      pthread_join(thread.handle, nullptr);
    } else {
      pthread_detach(thread.handle);
    }
  }
}

Lanes::Lanes()
    : disk_(std::make_shared<Pool>(Pool::Kind::kDisk)),
      compute_(std::make_shared<Pool>(Pool::Kind::kCompute)) {}

std::shared_ptr<Lanes> Lanes::start(int* error) {
  const std::shared_ptr<Lanes> lanes(new Lanes);
  const unsigned processors = std::max(std::thread::hardware_concurrency(), 1U);
  *error = lanes->disk_->start(kDiskThreads, "httpuv-disk");
  if (*error == 0) {
    *error = lanes->compute_->start(std::min(processors, kMaxComputeThreads), "httpuv-compute");
  }
  return *error == 0 ? lanes : nullptr;
}

Lanes::~Lanes() {
  compute_->stop(nullptr);
  disk_->stop(&kDiskPatience);
}

void Lanes::disk(std::uint64_t device, const std::shared_ptr<Work>& work) {
  disk_->submit(device, work);
}

void Lanes::compute(std::uint64_t lane, const std::shared_ptr<Work>& work) {
  compute_->submit(lane, work);
}

}  // namespace httpuv::net
