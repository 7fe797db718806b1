#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "base/mailbox.h"

namespace httpuv::base {
namespace {

using Items = std::vector<std::unique_ptr<int>>;

TEST_CASE("says when to ring, and keeps the order") {
  Mailbox<std::unique_ptr<int>> mailbox;
  CHECK(mailbox.post(std::make_unique<int>(1)) == Post::kFirst);
  CHECK(mailbox.post(std::make_unique<int>(2)) == Post::kQueued);

  Items taken;
  taken.push_back(std::make_unique<int>(99));  // left over from a round before
  CHECK(mailbox.drain(taken));
  REQUIRE(taken.size() == 2);
  for (int i = 0; i < 2; ++i) CHECK(*taken[static_cast<std::size_t>(i)] == i + 1);
  CHECK_FALSE(mailbox.drain(taken));
  CHECK(taken.empty());

  CHECK(mailbox.post(std::make_unique<int>(5)) == Post::kFirst);
  CHECK(mailbox.drain(taken));
  CHECK(taken.size() == 1);
}

TEST_CASE("nothing gets in after close, and what waited comes out") {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.post(std::make_unique<int>(1));
  Items rest;
  mailbox.close(rest);
  CHECK(rest.size() == 1);

  auto late = std::make_unique<int>(2);
  CHECK(mailbox.post(std::move(late)) == Post::kClosed);
  CHECK(late != nullptr);  // still the caller's
  CHECK_FALSE(mailbox.drain(rest));
  mailbox.close(rest);
  CHECK(rest.empty());
}

TEST_CASE("many producers, one of each ring, nothing lost at close") {
  constexpr int kProducers = 4;
  constexpr int kEach = 5000;
  Mailbox<int> mailbox;
  std::atomic<int> rings{0};
  std::atomic<int> accepted{0};
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      for (int i = 0; i < kEach; ++i) {
        const Post result = mailbox.post(p * kEach + i);
        if (result == Post::kFirst) ++rings;
        if (result != Post::kClosed) ++accepted;
      }
    });
  }
  std::vector<int> batch;
  std::vector<int> last_seen(kProducers, -1);
  int received = 0;
  int batches = 0;
  bool ordered = true;
  const auto receive = [&] {
    for (const int item : batch) {
      int& last = last_seen[static_cast<std::size_t>(item / kEach)];
      ordered = ordered && item % kEach > last;
      last = item % kEach;
    }
    received += static_cast<int>(batch.size());
  };
  while (received < kProducers * kEach / 2) {
    if (!mailbox.drain(batch)) {
      std::this_thread::yield();
      continue;
    }
    ++batches;
    receive();
  }
  mailbox.close(batch);
  if (!batch.empty()) ++batches;
  receive();
  for (std::thread& producer : producers) producer.join();
  CHECK(ordered);
  CHECK(received == accepted);
  CHECK(batches == rings);
}

TEST_CASE("counts what waits, and a producer may wait for the consumer") {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.post(std::make_unique<int>(1), 60);
  mailbox.post(std::make_unique<int>(2), 40);
  CHECK(mailbox.bytes() == 100);
  CHECK(mailbox.drains() == 0);

  std::atomic<bool> passed{false};
  std::thread producer([&] {
    while (mailbox.bytes() >= 100) mailbox.wait_below(100, std::chrono::milliseconds(10));
    passed = true;
  });
  CHECK_FALSE(passed);
  Items taken;
  CHECK(mailbox.drain(taken));
  CHECK(taken.size() == 2);
  producer.join();
  CHECK(passed);
  CHECK(mailbox.bytes() == 0);
  CHECK(mailbox.drains() == 1);
}

TEST_CASE("a closed mailbox makes no thread wait") {
  Mailbox<std::unique_ptr<int>> mailbox;
  mailbox.post(std::make_unique<int>(1), 100);
  std::thread producer([&] { mailbox.wait_below(10, std::chrono::minutes(10)); });
  Items rest;
  mailbox.close(rest);
  producer.join();
  CHECK(mailbox.bytes() == 0);
  mailbox.wait_below(0, std::chrono::minutes(10));
}

}  // namespace
}  // namespace httpuv::base
