#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "http/wire/exchange.h"

namespace httpuv::http {
namespace {

struct Entry : WireExchange {
  std::unique_ptr<std::string> parked;
};
using Queue = ExchangeQueue<Entry>;

TEST_CASE("exchanges close in the order they were opened") {
  Queue queue;
  CHECK(queue.empty());
  const std::uint32_t first = queue.open().sequence;
  const std::uint32_t second = queue.open().sequence;
  CHECK(second == first + 1);
  CHECK(queue.size() == 2);
  REQUIRE(queue.find(second) != nullptr);
  queue.find(second)->parked = std::make_unique<std::string>("later");
  CHECK(queue.is_front(queue.front()));
  CHECK_FALSE(queue.is_front(*queue.find(second)));
  queue.close_front();
  CHECK(queue.find(first) == nullptr);
  CHECK(queue.front().sequence == second);
  CHECK(*queue.front().parked == "later");
  CHECK(&queue.front() == &queue.back());
  queue.close_front();
  CHECK(queue.empty());
  CHECK(queue.find(second) == nullptr);
  CHECK(queue.find(second + 1) == nullptr);
}

TEST_CASE("numbers go on over many exchanges, some always open") {
  Queue queue;
  std::uint32_t oldest = queue.open().sequence;
  for (int i = 0; i < 10000; ++i) {
    const std::uint32_t newest = queue.open().sequence;
    queue.find(newest)->parked = std::make_unique<std::string>(std::to_string(newest));
    if (i % 3 != 0 || queue.size() > 20) {
      CHECK(queue.front().sequence == oldest++);
      queue.close_front();
    }
    CHECK(queue.find(oldest - 1) == nullptr);
    CHECK(queue.find(newest + 1) == nullptr);
    REQUIRE(queue.find(newest) != nullptr);
    CHECK(*queue.find(newest)->parked == std::to_string(newest));
    CHECK(queue.size() == newest - oldest + 1);
  }
}

TEST_CASE("release drops nothing that is open") {
  Queue queue;
  const std::uint32_t only = queue.open().sequence;
  queue.release();
  CHECK(queue.find(only) != nullptr);
  queue.close_front();
  queue.release();
  CHECK(queue.open().sequence == only + 1);
}

}  // namespace
}  // namespace httpuv::http
