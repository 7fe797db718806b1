#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/strands.h"

namespace httpuv::base {
namespace {

// Tasks are like "a1": the key, and a number to tell them apart.
struct Batch {
  using Key = char;
  using Task = std::unique_ptr<std::string>;
  std::vector<std::string> tasks;
  std::size_t taken = 0;

  [[nodiscard]] std::size_t size() const { return tasks.size() - taken; }
  [[nodiscard]] char key() const { return tasks[taken].front(); }
  void take(Task& into) {
    into = std::make_unique<std::string>(std::move(tasks[taken]));
    if (++taken == tasks.size()) {
      tasks.clear();
      taken = 0;
    }
  }
};

using Line = Strands<Batch>;

// Some threads that do nothing but have a separate id.
class Others {
 public:
  Others() {
    for (std::thread& thread : threads_) thread = std::thread([this] { done_.wait(); });
  }
  Others(const Others&) = delete;
  Others& operator=(const Others&) = delete;
  ~Others() {
    done_.count_down();
    for (std::thread& thread : threads_) thread.join();
  }
  std::thread::id operator[](std::size_t i) const { return threads_.at(i).get_id(); }

 private:
  std::latch done_{1};
  std::array<std::thread, 3> threads_;
};

std::string next(Line& line, Line::Claim& claim) {
  Batch::Task task;
  return line.next(claim, task) ? *task : "";
}

TEST_CASE("one thread takes everything in the order in which it came") {
  Line line;
  line.push({{"a1", "b1", "a2"}});
  line.push({{"c1"}});
  CHECK(line.size() == 4);
  Line::Claim claim;
  for (const char* expected : {"a1", "b1", "a2", "c1"}) {
    CHECK(line.open());
    CHECK(next(line, claim) == expected);
    CHECK(line.threads() == 1);
  }
  CHECK(next(line, claim).empty());
  CHECK(line.threads() == 0);
  CHECK(line.size() == 0);
  CHECK_FALSE(line.open());
  CHECK_FALSE(line.left());
}

TEST_CASE("two threads never work for one key") {
  const Others others;
  Line line;
  Line::Claim one(others[0]);
  Line::Claim two(others[1]);
  line.push({{"a1", "a2", "b1", "a3"}});
  CHECK(next(line, one) == "a1");
  CHECK(line.works(others[0]));
  CHECK_FALSE(line.works(others[1]));
  CHECK(next(line, two) == "b1");  // past a2, which is left for the first
  CHECK(line.left());
  CHECK_FALSE(line.left());
  CHECK(line.threads() == 2);
  CHECK(next(line, two).empty());
  CHECK(line.size() == 2);
  CHECK_FALSE(line.open());
  CHECK_FALSE(line.open(others[1]));

  SUBCASE("the thread that had the key goes on with it") {
    line.push({{"c1"}});
    for (const char* expected : {"a2", "a3", "c1", ""}) CHECK(next(line, one) == expected);
  }
  SUBCASE("or another one does, once it is free") {
    line.release(one);
    CHECK(line.open());
    line.push({{"a4", "c1"}});
    CHECK(next(line, two) == "a2");
    CHECK(next(line, one) == "c1");  // not a3, which goes with a2, nor a4
    CHECK(next(line, two) == "a3");
    CHECK(next(line, two) == "a4");
    CHECK(next(line, two).empty());
  }
  CHECK(line.size() == 0);
}

TEST_CASE("keys that are freed go in turn before what came later") {
  const Others others;
  Line line;
  Line::Claim one(others[0]);
  Line::Claim two(others[1]);
  Line::Claim three(others[2]);
  line.push({{"a1", "b1", "a2", "b2", "c1", "c2"}});
  CHECK(next(line, one) == "a1");
  CHECK(next(line, two) == "b1");
  CHECK(next(line, three) == "c1");
  line.release(one);
  line.release(two);
  line.push({{"d1", "a3", "b3"}});
  CHECK(next(line, two) == "a2");
  CHECK(next(line, one) == "b2");
  CHECK(next(line, three) == "c2");
  CHECK(next(line, one) == "d1");
  CHECK(next(line, three) == "b3");
  CHECK(next(line, three).empty());  // a3 is left for the second
  CHECK(next(line, two) == "a3");
}

TEST_CASE("a thread may begin tasks inside a task, of its own key, too") {
  const Others others;
  Line line;
  Line::Claim outer(others[0]);
  Line::Claim inner(others[0]);
  Line::Claim innermost(others[0]);
  Line::Claim other(others[1]);
  line.push({{"a1", "a2", "b1", "a3", "c1"}});
  CHECK(next(line, outer) == "a1");
  CHECK(next(line, inner) == "a2");
  CHECK(line.threads() == 1);
  CHECK(next(line, other) == "b1");
  CHECK(next(line, other) == "c1");
  CHECK(line.left());
  line.release(other);
  CHECK(line.open(others[0]));
  CHECK_FALSE(line.open(others[1]));

  SUBCASE("finds what others left for it") {
    CHECK(next(line, innermost) == "a3");
    CHECK(line.threads() == 1);
    line.release(innermost);
  }
  SUBCASE("keeps its key until the outermost is done") {
    line.release(inner);
    CHECK(next(line, other).empty());
    line.release(outer);
    CHECK(next(line, other) == "a3");
    line.release(other);
  }
  line.release(inner);
  line.release(outer);
  CHECK(line.threads() == 0);
}

TEST_CASE("a claim that was released, or never was at a task, is released for nothing") {
  Line line;
  Line::Claim claim;
  line.release(claim);
  line.push({{"a1"}});
  CHECK(next(line, claim) == "a1");
  line.release(claim);
  line.release(claim);
  CHECK(line.threads() == 0);
}

TEST_CASE("threads at once: each key in order, one at a time, nothing lost") {
  constexpr int kThreads = 4;
  constexpr int kKeys = 7;
  constexpr int kEach = 3000;
  struct Numbers {
    using Key = int;
    struct Task {
      int key = 0;
      int number = 0;
    };
    std::vector<Task> tasks;
    std::size_t taken = 0;
    [[nodiscard]] std::size_t size() const { return tasks.size() - taken; }
    [[nodiscard]] int key() const { return tasks[taken].key; }
    void take(Task& into) { into = tasks[taken++]; }
  };
  std::mutex mutex;
  Strands<Numbers> line;
  std::array<int, kKeys> last{};  // not atomic: what the line promises is what guards it
  std::atomic<int> done{0};
  std::atomic<bool> ordered{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Strands<Numbers>::Claim claim;
      while (done < kKeys * kEach) {
        Numbers::Task task;
        bool found = false;
        {
          const std::lock_guard lock(mutex);
          found = line.next(claim, task);
        }
        if (!found) {
          std::this_thread::yield();
          continue;
        }
        int& before = last[static_cast<std::size_t>(task.key)];
        if (before + 1 != task.number) ordered = false;
        before = task.number;
        ++done;
      }
      const std::lock_guard lock(mutex);
      line.release(claim);
    });
  }
  for (int number = 1; number <= kEach; number += 3) {
    Numbers batch;
    for (int key = 0; key < kKeys; ++key) {
      for (int i = 0; i < 3; ++i) batch.tasks.push_back({key, number + i});
    }
    const std::lock_guard lock(mutex);
    line.push(std::move(batch));
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(ordered);
  CHECK(done == kKeys * kEach);
  CHECK(line.size() == 0);
  CHECK(line.threads() == 0);
}

}  // namespace
}  // namespace httpuv::base
