#include "net/lanes/lanes.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "../harness.h"

namespace httpuv::net {
namespace {

using test::kPatience;

// How many jobs have recorded themselves. Each of them shares the ownership: one that hangs longer
// than the lanes wait for it outlives the test.
class Records {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  bool wait_for(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// Lanes, and what their jobs have done.
class World {
 public:
  World() {
    int error = 0;
    lanes_ = Lanes::start(&error);
    REQUIRE(error == 0);
  }
  ~World() {
    open();
    completions_->close();
    completions_->drain();  // works that nothing took would hold the completions, and these them
  }

  std::shared_ptr<Work> make(std::function<bool()> job) {
    auto work = std::make_shared<Work>();
    work->job = std::move(job);
    work->completions = completions_;
    return work;
  }
  void disk(std::uint64_t device, const std::shared_ptr<Work>& work) { lanes_->disk(device, work); }
  void disk(std::uint64_t device, std::function<bool()> job) { disk(device, make(std::move(job))); }
  void compute(std::uint64_t lane, std::function<bool()> job) {
    lanes_->compute(lane, make(std::move(job)));
  }

  // Jobs that hang until open() is called.
  void hang(std::uint64_t device, int count) {
    for (int i = 0; i < count; ++i) disk(device, hanging());
  }
  std::function<bool()> hanging() {
    return [records = records_, opened = opened_] {
      records->add();
      opened.wait();
      return false;
    };
  }
  void open() {
    if (!std::exchange(open_, true)) gate_.set_value();
  }

  std::function<bool()> recording() {
    return [records = records_] {
      records->add();
      return false;
    };
  }
  // Waits until so many jobs have recorded themselves.
  void wait_for(int count) { REQUIRE(records_->wait_for(count)); }
  int count() { return records_->count(); }
  // As a loop ends that does not wait for its work.
  void end() {
    completions_->close();
    lanes_.reset();
  }

 private:
  std::promise<void> gate_;
  std::shared_future<void> opened_ = gate_.get_future().share();
  bool open_ = false;
  std::shared_ptr<Records> records_ = std::make_shared<Records>();
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>([] {});
  std::shared_ptr<Lanes> lanes_;
};

bool done(std::promise<void>& promise) {
  return promise.get_future().wait_for(kPatience) == std::future_status::ready;
}

TEST_CASE("a device that hangs gets half of the threads, and others still find one") {
  World world;
  world.hang(1, 100);
  world.wait_for(4);
  world.hang(2, 100);
  world.wait_for(6);
  world.hang(3, 100);
  world.wait_for(7);
  std::promise<void> healthy;
  world.disk(4, [&] {
    healthy.set_value();
    return false;
  });
  CHECK(done(healthy));
  std::promise<void> computed;
  world.compute(1, [&] {
    computed.set_value();
    return false;
  });
  CHECK(done(computed));
  CHECK(world.count() == 7);
  world.open();
  world.wait_for(300);  // none is lost
}

TEST_CASE("long computations do not hold up short ones, nor disks") {
  World world;
  std::atomic<bool> stop = false;
  std::atomic<int> rounds = 0;
  for (unsigned lane = 0; lane < 2 * Lanes::kMaxComputeThreads; ++lane) {
    world.compute(lane, [&] {
      ++rounds;
      return !stop;
    });
  }
  for (int i = 0; i < 3; ++i) {
    std::promise<void> computed;
    world.compute(99, [&] {
      computed.set_value();
      return false;
    });
    CHECK(done(computed));
  }
  std::promise<void> read;
  world.disk(1, [&] {
    read.set_value();
    return false;
  });
  CHECK(done(read));
  stop = true;
  world.end();
}

TEST_CASE("what is computed in one lane is done in order, one at a time") {
  World world;
  std::mutex mutex;
  std::string order;
  std::atomic<int> inside = 0;
  std::atomic<bool> alone = true;
  std::promise<void> ended;
  for (char name = 'a'; name <= 'e'; ++name) {
    world.compute(5, [&, name, left = 3]() mutable {
      if (++inside != 1) alone = false;
      {
        const std::lock_guard lock(mutex);
        order += name;
      }
      --inside;
      if (--left > 0) return true;
      if (name == 'e') ended.set_value();
      return false;
    });
  }
  CHECK(done(ended));
  CHECK(order == "aaabbbcccdddeee");
  CHECK(alone);
}

TEST_CASE("the number of computations that have begun is bounded, and all come to their end") {
  World world;
  std::atomic<int> begun = 0;
  std::atomic<int> most = 0;
  constexpr int kJobs = 4 * static_cast<int>(Lanes::kMaxBegun);
  for (int i = 0; i < kJobs; ++i) {
    world.compute(static_cast<std::uint64_t>(i),
                  [&, record = world.recording(), left = 5]() mutable {
                    if (left == 5) {
                      const int now = ++begun;
                      int before = most;
                      while (before < now && !most.compare_exchange_weak(before, now)) {
                      }
                    }
                    if (--left > 0) return true;
                    --begun;
                    return record();
                  });
  }
  world.wait_for(kJobs);
  CHECK(most <= static_cast<int>(Lanes::kMaxBegun));
}

TEST_CASE("lanes end in their time though a disk hangs; its job keeps what it owns") {
  World world;
  auto owned = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = owned;
  world.disk(1, [job = world.hanging(), kept = std::move(owned)] { return job(); });
  world.wait_for(1);
  for (int i = 0; i < 10; ++i) {
    world.disk(1, world.hanging());  // of these some have begun and some have not
  }
  const auto before = std::chrono::steady_clock::now();
  world.end();
  CHECK(std::chrono::steady_clock::now() - before < kPatience);
  CHECK_FALSE(watched.expired());
  world.open();
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (!watched.expired() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  CHECK(watched.expired());
}

TEST_CASE("every job runs, however many come while a thread is on its way") {
  World world;
  int total = 0;
  for (int round = 0; round < 400; ++round) {
    for (int i = 0; i <= round % 20; ++i, ++total) {
      world.disk(static_cast<std::uint64_t>(i) % 3, world.recording());
    }
    if (round % 2 == 0) world.wait_for(total);
  }
  world.wait_for(total);
}

TEST_CASE("work that was abandoned before it began is dropped") {
  World world;
  world.hang(1, 4);
  world.wait_for(4);
  std::atomic<bool> ran = false;
  const auto work = world.make([&] {
    ran = true;
    return false;
  });
  world.disk(1, work);
  work->abandoned = true;
  world.open();
  std::promise<void> after;
  world.disk(1, [] { return false; });
  world.disk(1, [&] {
    after.set_value();
    return false;
  });
  CHECK(done(after));
  CHECK_FALSE(ran);
}

}  // namespace
}  // namespace httpuv::net
