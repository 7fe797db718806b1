// The ring of a topic's messages, against a plain list that does the same slowly.
#include "server/topics/history.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace httpuv::server {
namespace {

struct Model {
  struct Entry {
    std::uint64_t offset;
    std::int64_t at_ms;
    std::size_t cost;
  };
  std::deque<Entry> entries;
  std::uint64_t lost = 0;
  std::uint64_t last = 0;

  void drop() {
    lost = entries.front().offset;
    entries.pop_front();
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Entry& each : entries) sum += each.cost;
    return sum;
  }
  void bound(const HistoryLimits& limits) {
    while (entries.size() > limits.messages || bytes() > limits.bytes) drop();
  }
};

void compare(const History& history, const Model& model, std::uint64_t offset) {
  REQUIRE(history.size() == model.entries.size());
  REQUIRE(history.bytes() == model.bytes());
  REQUIRE(history.last() == model.last);
  REQUIRE(history.reaches(offset) == (offset >= model.lost && offset <= model.last));
  std::vector<std::uint64_t> expected;
  for (const auto& each : model.entries) {
    if (each.offset > offset) expected.push_back(each.offset);
  }
  std::vector<std::uint64_t> found;
  for (const auto& each : history.since(offset)) found.push_back(each->offset);
  REQUIRE(found == expected);
}

TEST_CASE("History: what a plain list would have, whatever comes") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const std::uint64_t begin = random() % 3 == 0 ? random() : 0;
    History history(begin);
    Model model{{}, begin, begin};
    const HistoryLimits limits{random() % 20, (random() % 20) * 150,
                               static_cast<std::int64_t>(random() % 50 + 1)};
    std::int64_t now = 0;
    for (int step = 0; step < 200; ++step) {
      now += static_cast<std::int64_t>(random() % 8);
      if (random() % 4 == 0) {
        history.expire(now, limits);
        while (!model.entries.empty() && model.entries.front().at_ms + limits.ttl_ms <= now) {
          model.drop();
        }
      } else {
        const std::uint64_t skip = random() % 40 == 0 ? random() % 5 : 0;
        auto message = std::make_shared<Publication>(true, std::string(random() % 200, 'x'), true);
        message->offset = model.last + 1 + skip;
        message->at_ms = now;
        if (skip > 0) model.entries.clear();
        if (skip > 0) model.lost = message->offset - 1;
        model.last = message->offset;
        model.entries.push_back({message->offset, now, message->cost()});
        model.bound(limits);
        history.append(std::move(message), limits);
      }
      const std::uint64_t around = model.lost > 3 ? model.lost - 3 : 0;
      compare(history, model, around + random() % 30);
      if (history.size() > 0) {
        REQUIRE(history.expires_at(limits) == model.entries.front().at_ms + limits.ttl_ms);
      }
    }
  }
}

}  // namespace
}  // namespace httpuv::server
