#include "net/loop/loop.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <new>
#include <thread>

#include "../harness.h"
#include "net/loop/ticker.h"

namespace httpuv::net {
namespace {

using test::count_descriptors;
using test::LoopHarness;

std::unique_ptr<Loop> make_loop() {
  int error = 1;
  auto loop = Loop::create(&error, test::lanes());
  REQUIRE(error == 0);
  return loop;
}

void run(Loop& loop) {
  LoopThread thread;
  REQUIRE(thread.start([&] { loop.run(); }) == 0);
  thread.join();
}

class Task final : public TurnTask {
 public:
  explicit Task(std::function<void()> body) : body_(std::move(body)) {}
  void run_turn() noexcept override { body_(); }

 private:
  std::function<void()> body_;
};

class Owner final : public DeadlineOwner {
 public:
  explicit Owner(std::function<void()> body) : body_(std::move(body)) {}
  void on_deadline(Deadline&) noexcept override { body_(); }

 private:
  std::function<void()> body_;
};

TEST_CASE("a loop that never ran leaves nothing behind") {
  make_loop();
  const std::size_t before = count_descriptors();
  for (int i = 0; i < 10; ++i) make_loop();
  CHECK(count_descriptors() == before);
}

TEST_CASE("a loop that has nothing to do ends when it is told to") {
  const auto loop = make_loop();
  loop->finish();
  loop->finish();
  run(*loop);
  loop->wake();  // after the end: nothing
}

TEST_CASE("a thousand loops one after another, each on its own thread") {
  { const LoopHarness first; }  // whatever is made once
  const std::size_t before = count_descriptors();
  for (int i = 0; i < 1000; ++i) {
    LoopHarness harness;
    if (i % 10 == 0) harness.call([] {});
  }
  CHECK(count_descriptors() == before);
}

TEST_CASE("several loops at once") {
  std::array<LoopHarness, 4> harnesses;
  int calls = 0;
  for (LoopHarness& harness : harnesses) harness.call([&] { ++calls; });
  CHECK(calls == 4);
}

TEST_CASE("waking from four threads while the loop ends") {
  for (int round = 0; round < 50; ++round) {
    const auto loop = make_loop();
    std::atomic<int> woken = 0;
    std::atomic<bool> stop = false;
    loop->on_wake = [&] {
      if (++woken == 5) loop->finish();
    };
    LoopThread thread;
    REQUIRE(thread.start([&] { loop->run(); }) == 0);
    std::vector<std::thread> ringers;
    for (int i = 0; i < 4; ++i) {
      ringers.emplace_back([&] {
        while (!stop) loop->wake();
      });
    }
    thread.join();
    stop = true;
    for (std::thread& ringer : ringers) ringer.join();
    CHECK(woken >= 5);
  }
}

TEST_CASE("no wake-up is lost") {
  const auto loop = make_loop();
  std::atomic<int> posted = 0;
  int seen = 0;
  loop->on_wake = [&] {
    seen = posted;
    if (seen == 4000) loop->finish();
  };
  std::vector<std::thread> posters;
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        ++posted;
        loop->wake();
      }
    });
  }
  run(*loop);
  for (std::thread& poster : posters) poster.join();
  CHECK(seen == 4000);
}

TEST_CASE("no wake-up is lost while the loop lingers before it sleeps") {
  const auto loop = make_loop();
  std::atomic<int> posted = 0;
  std::atomic<int> seen = 0;
  const auto look = [&] {
    seen = posted.load();
    if (seen == 4000) loop->finish();
  };
  loop->on_wake = look;
  loop->on_turn_end = [&] {
    const auto news = [&] { return posted != seen; };
    while (seen < 4000 && loop->linger(std::chrono::microseconds(20), news)) look();
  };
  std::thread poster([&] {
    for (int n = 0; n < 4000; ++n) {
      ++posted;
      loop->wake();
      // Each finds the loop anew: reading, lingering, about to sleep, asleep.
      while (n % 3 == 0 && seen <= n) std::this_thread::yield();
    }
  });
  run(*loop);
  poster.join();
  CHECK(seen == 4000);
}

TEST_CASE("jobs run elsewhere and end here") {
  const auto loop = make_loop();
  LoopThread thread;
  std::atomic<int> jobs = 0;
  std::atomic<int> slices = 0;
  int done = 0;
  const auto end_of_one = [&](bool ran) {
    CHECK(ran);
    CHECK(thread.is_current());
    // The end of one job may begin another.
    if (++done == 20) {
      loop->work_on_disk(
          7, [&] { ++jobs; }, [&](bool) { loop->finish(); });
    }
  };
  loop->on_wake = [&] {
    for (int i = 0; i < 10; ++i) {
      loop->work_on_disk(
          7,
          [&] {
            CHECK_FALSE(thread.is_current());
            ++jobs;
          },
          end_of_one);
      loop->compute(
          i % 3,
          [&, left = 3]() mutable {
            CHECK_FALSE(thread.is_current());
            ++slices;
            return --left > 0;
          },
          end_of_one);
    }
  };
  loop->wake();
  REQUIRE(thread.start([&] { loop->run(); }) == 0);
  thread.join();
  CHECK(jobs == 11);
  CHECK(slices == 30);
  CHECK(done == 20);
}

TEST_CASE("a job that runs out of memory ends, and what follows it is told") {
  const auto loop = make_loop();
  int told = 0;
  const auto end_of_one = [&](bool ran) {
    CHECK_FALSE(ran);
    if (++told == 2) loop->finish();
  };
  loop->work_on_disk(
      0, [] { throw std::bad_alloc(); }, end_of_one);
  loop->compute(
      0, []() -> bool { throw std::bad_alloc(); }, end_of_one);
  run(*loop);
  CHECK(told == 2);
}

TEST_CASE("a loop that ends abandons its work: what follows never comes, what is shared goes") {
  std::promise<void> gate;
  const std::shared_future<void> opened = gate.get_future().share();
  auto state = std::make_shared<int>(0);
  const std::weak_ptr<int> of_job = state;
  auto follow_up = std::make_shared<int>(0);
  const std::weak_ptr<int> of_done = follow_up;
  {
    const auto loop = make_loop();
    std::promise<void> begun;
    bool told = false;
    loop->work_on_disk(
        1,
        [state, opened, &begun] {
          begun.set_value();
          opened.wait();
        },
        [&told, kept = std::move(follow_up)](bool) { told = true; });
    begun.get_future().wait();
    loop->finish();
    run(*loop);  // returns while the job hangs
    CHECK_FALSE(told);
    CHECK(of_done.expired());
  }
  state.reset();
  CHECK_FALSE(of_job.expired());
  gate.set_value();
  const auto patience = std::chrono::steady_clock::now() + test::kPatience;
  while (!of_job.expired() && std::chrono::steady_clock::now() < patience) {
    std::this_thread::yield();
  }
  CHECK(of_job.expired());
}

TEST_CASE("the turn's end comes after wake-ups, deadlines and jobs, before the loop sleeps") {
  const auto loop = make_loop();
  int pending = 0;
  int flushed = 0;
  loop->on_turn_end = [&] { flushed += std::exchange(pending, 0); };
  Owner owner([&] {
    ++pending;
    // If this one were only flushed after the next event, the loop would sleep now for ever.
    loop->work_on_disk(
        0, [] {}, [&](bool) { ++pending; });
  });
  Deadline deadline(&owner);
  loop->on_wake = [&] {
    ++pending;
    deadline.set(loop->timers(), loop->now_ms() + 10);
  };
  Owner checker([&] {
    CHECK(flushed == 3);
    CHECK(pending == 0);
    loop->finish();
  });
  Deadline check(&checker);
  check.set(loop->timers(), loop->now_ms() + 500);
  loop->wake();
  run(*loop);
  CHECK(flushed == 3);
}

TEST_CASE("deadlines on a real loop") {
  const auto loop = make_loop();
  std::int64_t asked = 0;
  std::int64_t fired = 0;
  Owner owner([&] {
    fired = loop->now_ms();
    loop->finish();
  });
  Deadline deadline(&owner);
  asked = loop->now_ms() + 120;
  deadline.set(loop->timers(), asked + 60'000);
  deadline.set(loop->timers(), asked);
  run(*loop);
  CHECK(fired >= asked);
}

TEST_CASE("what came in time is read before a deadline that is late counts") {
  test::ServerHarness server;
  test::Client client(server);
  test::Session& session = server.session();
  std::string order;
  Owner owner([&] { order += "deadline "; });
  Deadline deadline(&owner);
  std::promise<void> fired;
  Owner last([&] { fired.set_value(); });
  Deadline end(&last);
  server.call([&] {
    session.data_hook = [&](test::Session&, std::string_view) { order += "data "; };
    const std::int64_t now = server.loop().now_ms();
    deadline.set(server.loop().timers(), now + 50);
    end.set(server.loop().timers(), now + 100);
    client.send("late, but not by its own fault");
    // As if the process had been stopped meanwhile.
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
  });
  fired.get_future().wait();
  server.call([] {});
  CHECK(order == "data deadline ");
}

TEST_CASE("a ticker ticks until it is stopped, and the loop ends without it") {
  const auto loop = make_loop();
  int ticks = 0;
  std::unique_ptr<Ticker> ticker;
  Owner end([&] {
    CHECK(ticks == 3);
    ticker.reset();
    loop->finish();
  });
  Deadline deadline(&end);
  ticker = std::make_unique<Ticker>(*loop, [&] {
    CHECK(ticker->active());
    if (++ticks < 3) return;
    ticker->stop();
    CHECK_FALSE(ticker->active());
    deadline.set(loop->timers(), loop->now_ms() + 20);
  });
  CHECK_FALSE(ticker->active());
  ticker->start(2);
  run(*loop);
  CHECK(ticks == 3);
}

TEST_CASE("a loop may end between the hooks of a fork, and the second one come without the first") {
  const auto loop = make_loop();
  loop->after_fork();
  LoopThread thread;
  loop->on_wake = [&] { loop->finish(); };
  REQUIRE(thread.start([&] { loop->run(); }) == 0);
  loop->before_fork();
  loop->wake();
  loop->after_fork();
  thread.join();
  loop->before_fork();
  loop->after_fork();
}

TEST_CASE("tasks for the next turn take turns") {
  const auto loop = make_loop();
  std::string order;
  std::vector<std::unique_ptr<Task>> tasks;
  for (const char name : {'a', 'b', 'c'}) {
    const std::size_t index = tasks.size();
    tasks.push_back(std::make_unique<Task>([&, name, index] {
      order += name;
      if (order.size() < 9) loop->run_next_turn(*tasks[index]);
      if (order.size() == 9) loop->finish();
    }));
    loop->run_next_turn(*tasks.back());
    loop->run_next_turn(*tasks.back());  // once is enough
  }
  Task withdrawn([&] { order += '!'; });
  loop->run_next_turn(withdrawn);
  CHECK(withdrawn.waiting());
  withdrawn.withdraw();
  {  // One that is destroyed while it waits.
    Task gone([&] { order += '!'; });
    loop->run_next_turn(gone);
  }
  run(*loop);
  CHECK(order == "abcabcabc");
}

TEST_CASE("a queue of turn tasks stops when it is late, and goes on where it stopped") {
  TurnQueue queue;
  std::string order;
  Task first([&] {
    order += 'a';
    queue.append(first);
  });
  Task second([&] { order += 'b'; });
  Task third([&] { order += 'c'; });
  queue.append(first);
  queue.append(second);
  queue.append(third);
  const auto after_each = [] { return true; };
  for (int i = 0; i < 4; ++i) queue.run(after_each);
  CHECK(order == "abca");
  CHECK(first.waiting());
  CHECK_FALSE(second.waiting());
}

TEST_CASE("the loop thread knows itself, has a name, and blocks signals") {
  LoopThread thread;
  CHECK_FALSE(thread.is_current());
  std::promise<void> ready;
  std::string name;
  sigset_t mask;
  bool current = false;
  REQUIRE(thread.start([&] {
    current = thread.is_current();
    char buffer[16] = {};
    pthread_getname_np(pthread_self(), buffer, sizeof(buffer));
    name = buffer;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  }) == 0);
  thread.join();
  thread.join();
  CHECK(current);
  CHECK(name == "httpuv");
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGPROF}) {
    CHECK(sigismember(&mask, number) == 1);
  }
  sigset_t ours;
  pthread_sigmask(SIG_SETMASK, nullptr, &ours);
  CHECK(sigismember(&ours, SIGINT) == 0);
}

TEST_CASE("the threads of the lanes block signals too") {
  LoopHarness harness;
  std::promise<bool> on_disk;
  std::promise<bool> computing;
  const auto blocked = [] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGPIPE) == 1;
  };
  harness.call([&] {
    harness.loop().work_on_disk(
        0, [&] { on_disk.set_value(blocked()); }, [](bool) {});
    harness.loop().compute(
        0,
        [&] {
          computing.set_value(blocked());
          return false;
        },
        [](bool) {});
  });
  CHECK(on_disk.get_future().get());
  CHECK(computing.get_future().get());
}

TEST_CASE("a loop that cannot be made says why") {
  // Tested with every descriptor taken.
  std::vector<int> plugs;
  for (int fd = 0; plugs.size() < 100'000 && (fd = dup(0)) >= 0;) plugs.push_back(fd);
  int error = 0;
  std::unique_ptr<Loop> loop;
  if (plugs.size() < 100'000) loop = Loop::create(&error);
  for (const int fd : plugs) ::close(fd);
  if (plugs.size() < 100'000) {
    CHECK(loop == nullptr);
    CHECK(error == UV_EMFILE);
  }
}

}  // namespace
}  // namespace httpuv::net
