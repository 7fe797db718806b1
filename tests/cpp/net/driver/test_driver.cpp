// Threads that drive a loop in turns: a stand-in for the loop whose data has no lock, so that the
// thread sanitizer sees every step that two of them take at once.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "net/driver/driver.h"

namespace httpuv::net {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Every request of a client is an event for the application, every answer of the application a
// command for the loop.
class FakeLoop final : public Driven, public Wakeable {
 public:
  // --- any thread ---
  void request(int number) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(number);
    arrived_.notify_all();
  }
  void answer(int number) {
    const std::lock_guard lock(mutex_);
    mail_.push_back(number);
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    arrived_.notify_all();
  }
  bool take_event(int* number) {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return false;
    *number = events_.front();
    events_.pop_front();
    return true;
  }
  bool has_events() {
    const std::lock_guard lock(mutex_);
    return !events_.empty();
  }
  bool wait_answered(std::size_t count) {
    std::unique_lock lock(mutex_);
    return all_.wait_for(lock, std::chrono::seconds(30), [&] { return answered_ >= count; });
  }
  std::size_t turns() const { return turns_seen_.load(); }
  bool guarded() const { return guarded_.load(); }

  // --- the owner ---
  void turn(int wait_ms) override {
    enter();
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return woken_ || !requests_.empty(); };
      if (wait_ms < 0) {
        arrived_.wait(lock, ready);
      } else {
        arrived_.wait_for(lock, milliseconds(wait_ms), ready);
      }
      woken_ = false;
      for (; !requests_.empty(); requests_.pop_front()) events_.push_back(requests_.front());
      arrived_.notify_all();
    }
    read_mail();
    leave();
  }
  void taken(bool by_guardian) override {
    enter();
    guarded_ = by_guardian;
    read_mail();
    leave();
  }
  [[nodiscard]] bool over() const override { return over_; }
  bool expose() override { return !over_; }
  [[nodiscard]] bool due() const override {
    const std::lock_guard lock(mutex_);
    return woken_ || !requests_.empty();
  }
  void await_due() override {
    wait_due([] { return false; });
  }

  // As a host loop waits: until a turn is due, or there is an event or `ended()`.
  void wait_due(const std::function<bool()>& ended) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [&] { return woken_ || !requests_.empty() || ended(); });
  }
  void wait_hosted(const std::function<bool()>& ended) {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock,
                  [&] { return woken_ || !requests_.empty() || !events_.empty() || ended(); });
  }

  std::size_t own_answers() const { return own_; }

 private:
  void enter() {
    const int before = inside_.fetch_add(1);
    if (before != 0) broken_ = true;
    ++turns_;  // without a lock: the token is the lock
    turns_seen_ = turns_;
  }
  void leave() {
    if (broken_) std::abort();
    inside_.fetch_sub(1);
  }
  void read_mail() {
    const std::lock_guard lock(mutex_);
    own_ += mail_.size();
    answered_ += mail_.size();
    mail_.clear();
    over_ = stop_;
    all_.notify_all();
  }

  std::size_t turns_ = 0;
  std::size_t own_ = 0;
  bool over_ = false;
  std::atomic<int> inside_{0};
  std::atomic<bool> broken_{false};
  std::atomic<std::size_t> turns_seen_{0};
  std::atomic<bool> guarded_{true};

  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::condition_variable all_;
  std::deque<int> requests_;
  std::deque<int> events_;
  std::deque<int> mail_;
  std::size_t answered_ = 0;
  bool woken_ = false;
  bool stop_ = false;
};

struct Rig {
  FakeLoop loop;
  Driver driver{loop, loop};
  std::thread guardian{[this] { driver.guard(); }};

  void post(int number) {
    loop.answer(number);
    if (!driver.paused()) loop.wake();
  }
  void stop() {
    driver.retire();
    loop.stop();
    if (!driver.paused()) loop.wake();
    guardian.join();
  }
};

// A thread that runs callbacks as the application does: it drives while it has nothing else to do.
class Application {
 public:
  Application(Rig& rig, std::function<void()> callback)
      : rig_(rig), callback_(std::move(callback)), thread_([this] { run(); }) {}
  void stop() {
    stop_ = true;
    rig_.loop.wake();
    thread_.join();
  }

 private:
  void run() {
    while (!stop_) {
      bool home = rig_.driver.drive();
      while (home && !stop_ && !rig_.loop.has_events() && !rig_.driver.retired()) {
        rig_.driver.turn(-1);
      }
      if (home) rig_.driver.pause();
      int number = 0;
      auto since = Clock::now();
      while (rig_.loop.take_event(&number)) {
        callback_();
        rig_.post(number);
        if (Clock::now() - since > std::chrono::microseconds(500) && rig_.driver.resume()) {
          rig_.driver.turn(0);
          rig_.driver.pause();
          since = Clock::now();
        }
      }
      if (rig_.driver.retired()) return;
    }
  }

  Rig& rig_;
  const std::function<void()> callback_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The same in a loop of its own, to which that one is lent.
class Host {
 public:
  Host(Rig& rig, std::function<void()> callback)
      : rig_(rig), callback_(std::move(callback)), thread_([this] { run(); }) {}
  void stop() {
    stop_ = true;
    rig_.loop.wake();
    thread_.join();
  }

 private:
  void run() {
    while (!stop_ && !rig_.driver.retired()) {
      rig_.loop.wait_hosted([this] { return stop_ || rig_.driver.retired(); });
      step();
    }
  }
  void step() {
    turn();
    int number = 0;
    while (rig_.loop.take_event(&number)) {
      callback_();
      rig_.post(number);
      if (!rig_.loop.has_events()) turn();
    }
    if (rig_.driver.resume()) {
      rig_.driver.lend();
    } else {
      rig_.driver.ask_loan();
    }
  }
  void turn() {
    if (!rig_.driver.resume()) return;
    rig_.driver.turn(0);
    rig_.driver.pause();
  }

  Rig& rig_;
  const std::function<void()> callback_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void spin(std::chrono::microseconds time) {
  const auto end = Clock::now() + time;
  while (Clock::now() < end) {
  }
}

}  // namespace

TEST_CASE("a thread that has nothing else to do drives, and the guardian after it") {
  Rig rig;
  REQUIRE(rig.driver.drive());
  CHECK(rig.driver.driven());
  CHECK(!rig.loop.guarded());
  rig.loop.request(1);
  rig.driver.turn(-1);
  CHECK(rig.loop.has_events());
  rig.driver.pause();
  rig.loop.answer(1);
  CHECK(rig.loop.wait_answered(1));  // by the guardian, unasked
  CHECK(rig.loop.guarded());
  CHECK(rig.driver.drive());
  rig.driver.pause();
  rig.stop();
  CHECK(!rig.driver.drive());
}

TEST_CASE("a loop that is stopped while it is driven comes to its end") {
  Rig rig;
  std::thread driver([&] {
    if (!rig.driver.drive()) return;
    while (!rig.driver.retired()) rig.driver.turn(-1);
    rig.driver.pause();
  });
  rig.stop();
  driver.join();
  CHECK(rig.loop.over());
}

TEST_CASE("what waits for a loop that is paused is done at once if the thread says so") {
  Rig rig;
  REQUIRE(rig.driver.drive());
  rig.driver.pause();
  rig.loop.answer(1);
  rig.driver.hurry();
  CHECK(rig.loop.wait_answered(1));
  rig.stop();
}

TEST_CASE("a child of fork() drives nothing, and waits for nothing") {
  Rig rig;
  REQUIRE(rig.driver.drive());
  rig.driver.pause();
  FakeLoop copy;
  Driver child(copy, copy);
  child.forget();
  CHECK(!child.drive());
  CHECK(!child.resume());
  child.hurry();
  CHECK(child.retired());
  rig.stop();
}

TEST_CASE("a loop that is lent is taken when no thread has turned it for a while") {
  Rig rig;
  REQUIRE(rig.driver.drive());
  rig.driver.lend();
  CHECK(!rig.driver.paused());
  CHECK(!rig.loop.guarded());
  rig.post(1);
  CHECK(rig.loop.wait_answered(1));
  CHECK(rig.loop.guarded());
  rig.driver.ask_loan();
  while (rig.driver.driven() || !rig.driver.resume()) std::this_thread::yield();
  CHECK(!rig.loop.guarded());
  rig.driver.pause();
  rig.loop.answer(2);
  CHECK(rig.loop.wait_answered(2));  // also if the guardian has dozed
  rig.stop();
}

TEST_CASE_TEMPLATE("callbacks of all lengths, answers from other threads, thousands of hand-overs",
                   Runner, Application, Host) {
  Rig rig;
  std::mt19937 random(7);
  std::uniform_int_distribution<int> kind(0, 9);
  std::uniform_int_distribution<int> length(0, 5000);
  Runner application(rig, [&] {
    const int chosen = kind(random);
    if (chosen < 7) return;
    const std::chrono::microseconds time(length(random));
    if (chosen < 9) {
      spin(time / 10);
    } else {
      std::this_thread::sleep_for(time);
    }
  });
  constexpr int kClients = 4;
  constexpr int kRequests = 2000;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      for (int number = 0; number < kRequests; ++number) {
        rig.loop.request(number);
        if (number % 64 == i) rig.post(-1);
        if (number % 256 == 0) std::this_thread::sleep_for(milliseconds(6));
      }
    });
  }
  std::size_t posted = 0;
  for (int i = 0; i < kClients; ++i) {
    for (int number = 0; number < kRequests; ++number) posted += number % 64 == i ? 1 : 0;
  }
  for (std::thread& client : clients) client.join();
  CHECK(rig.loop.wait_answered(kClients * kRequests + posted));
  application.stop();
  rig.stop();
}

TEST_CASE_TEMPLATE("loops that start and stop while they are driven", Runner, Application, Host) {
  for (int i = 0; i < 200; ++i) {
    Rig rig;
    Runner application(rig, [] {});
    for (int number = 0; number < i % 5; ++number) rig.loop.request(number);
    if (i % 3 == 0) std::this_thread::sleep_for(milliseconds(1));
    if (i % 2 == 0) {
      rig.stop();
      application.stop();
    } else {
      application.stop();
      rig.stop();
    }
    CHECK(rig.loop.over());
  }
}

}  // namespace httpuv::net
