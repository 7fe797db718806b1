#include "net/loop/timer_wheel.h"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace httpuv::net {
namespace {

class FakeClock final : public WheelAlarm {
 public:
  void set_alarm(std::int64_t at_ms) override {
    alarm = at_ms;
    ++asked;
  }
  std::int64_t alarm = -1;
  int asked = 0;
};

class Recorder final : public DeadlineOwner {
 public:
  void on_deadline(Deadline& deadline) noexcept override {
    fired.push_back(&deadline);
    if (hook) hook(deadline);
  }
  std::vector<Deadline*> fired;
  std::function<void(Deadline&)> hook;
};

constexpr std::int64_t kStart = 1'000'003;  // a clock that did not start with the wheel

TEST_CASE("a deadline is small") {
  CHECK(sizeof(Deadline) <= 56);
}

TEST_CASE("a deadline fires once, not early, and at most a tick late") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  Recorder owner;
  std::int64_t now = kStart;
  for (const std::int64_t delay : {0, 1, 49, 50, 51, 99, 1000, 51'199, 51'200, 51'201, 200'000}) {
    CAPTURE(delay);
    owner.fired.clear();
    Deadline deadline(&owner);
    wheel.advance(now);
    const std::int64_t at = now + delay;
    deadline.set(wheel, at);
    CHECK(deadline.armed());
    CHECK(deadline.at() == at);
    while (owner.fired.empty()) {
      REQUIRE(now < at + 2 * TimerWheel::kTickMs);
      wheel.advance(++now);
    }
    CHECK(now >= at);
    CHECK(now - at <= TimerWheel::kTickMs);
    CHECK_FALSE(deadline.armed());
    now += 100'007;
    wheel.advance(now);
    CHECK(owner.fired.size() == 1);
    CHECK(wheel.linked() == 0);
  }
}

TEST_CASE("the alarm alone is enough to fire everything, and rings only while there is something") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  wheel.advance(kStart);
  Recorder owner;
  Deadline deadline(&owner);
  deadline.set(wheel, kStart + 75'000);
  int rings = 0;
  std::int64_t now = kStart;
  while (owner.fired.empty()) {
    REQUIRE(clock.alarm > now);
    now = clock.alarm;
    wheel.advance(now);
    ++rings;
  }
  CHECK(now >= kStart + 75'000);
  CHECK(now <= kStart + 75'000 + TimerWheel::kTickMs);
  CHECK(rings <= 3);  // an idle connection does not keep the process awake
  const int asked = clock.asked;
  wheel.advance(now + 50);
  CHECK(clock.asked == asked);
}

TEST_CASE("clearing and moving later only write a field") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  wheel.advance(kStart);
  Recorder owner;
  Deadline deadline(&owner);
  deadline.set(wheel, kStart + 1000);
  const int asked = clock.asked;
  for (int i = 0; i < 100; ++i) {
    deadline.clear();
    deadline.set(wheel, kStart + 2000 + i);
  }
  CHECK(clock.asked == asked);
  CHECK(wheel.linked() == 1);
  wheel.advance(kStart + 1500);
  CHECK(owner.fired.empty());
  wheel.advance(kStart + 2098);
  CHECK(owner.fired.empty());
  wheel.advance(kStart + 2150);
  CHECK(owner.fired.size() == 1);
}

TEST_CASE("an earlier time moves the alarm forward") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  wheel.advance(kStart);
  Recorder owner;
  Deadline deadline(&owner);
  deadline.set(wheel, kStart + 60'000);
  deadline.set(wheel, kStart + 100);
  CHECK(clock.alarm <= kStart + 150);
  wheel.advance(kStart + 150);
  CHECK(owner.fired.size() == 1);
}

TEST_CASE("a cleared deadline never fires and is forgotten when its tick passes") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  wheel.advance(kStart);
  Recorder owner;
  Deadline deadline(&owner);
  deadline.set(wheel, kStart + 100);
  deadline.clear();
  CHECK_FALSE(deadline.armed());
  wheel.advance(kStart + 1000);
  CHECK(owner.fired.empty());
  CHECK(wheel.linked() == 0);
}

TEST_CASE("a callback may set its deadline again and destroy the others that are due") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  wheel.advance(kStart);
  Recorder owner;
  std::vector<std::unique_ptr<Deadline>> deadlines;
  for (int i = 0; i < 10; ++i) {
    deadlines.push_back(std::make_unique<Deadline>(&owner));
    deadlines.back()->set(wheel, kStart + 100 + i % 3);
  }
  owner.hook = [&](Deadline& deadline) {
    if (owner.fired.size() > 1) return;
    for (auto& other : deadlines) {
      if (other.get() != &deadline) other.reset();
    }
    deadline.set(wheel, 0);  // long past: the next tick
  };
  wheel.advance(kStart + 200);
  CHECK(owner.fired.size() == 1);
  wheel.advance(kStart + 250);
  CHECK(owner.fired.size() == 2);
  owner.hook = [&](Deadline&) { deadlines.clear(); };  // itself
  for (auto& deadline : deadlines) {
    if (deadline) deadline->set(wheel, kStart + 300);
  }
  wheel.advance(kStart + 400);
  CHECK(owner.fired.size() == 3);
  CHECK(wheel.linked() == 0);
}

TEST_CASE("a thousand deadlines against a sorted map") {
  FakeClock clock;
  TimerWheel wheel(&clock);
  std::int64_t now = kStart;
  wheel.advance(now);
  std::mt19937 random(7);
  std::map<Deadline*, std::int64_t> expected;
  Recorder owner;
  std::vector<std::unique_ptr<Deadline>> deadlines;
  for (int i = 0; i < 1000; ++i) deadlines.push_back(std::make_unique<Deadline>(&owner));
  owner.hook = [&](Deadline& deadline) {
    REQUIRE(expected.contains(&deadline));
    CHECK(expected[&deadline] <= now);
    expected.erase(&deadline);
    if (random() % 2 == 0) {
      const std::int64_t at = now + static_cast<std::int64_t>(random() % 90'000);
      deadline.set(wheel, at);
      expected[&deadline] = at;
    }
  };
  for (int round = 0; round < 5'000; ++round) {
    auto& deadline = deadlines[random() % deadlines.size()];
    switch (random() % 4) {
      case 0:
        deadline->clear();
        expected.erase(deadline.get());
        break;
      case 1:
        expected.erase(deadline.get());
        deadline = std::make_unique<Deadline>(&owner);
        break;
      default: {
        const std::int64_t at = now + static_cast<std::int64_t>(random() % 90'000);
        deadline->set(wheel, at);
        expected[deadline.get()] = at;
      }
    }
    now += static_cast<std::int64_t>(random() % 200);
    if (!expected.empty()) {
      REQUIRE(clock.alarm > 0);
    }
    if (clock.alarm <= now) wheel.advance(now);
    for (const auto& [entry, at] : expected) {
      if (at + TimerWheel::kTickMs < now) FAIL("overdue: ", at, " at ", now);
    }
  }
  owner.hook = [&](Deadline& deadline) { expected.erase(&deadline); };
  wheel.advance(now + 200'000);
  CHECK(expected.empty());
}

}  // namespace
}  // namespace httpuv::net
