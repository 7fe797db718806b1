// Topics: what they hold after any sequence of joining and leaving. The sessions are names only.
#include "server/topics.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using httpuv::server::Subscriptions;
using httpuv::server::Topics;
using httpuv::server::WebSocketSession;

namespace {

// Never dereferenced by Topics.
WebSocketSession& session(std::size_t number) {
  static std::array<std::max_align_t, 16> storage;
  return *reinterpret_cast<WebSocketSession*>(&storage[number]);
}

}  // namespace

TEST_CASE("Topics: any order of joining and leaving") {
  Topics topics;
  std::array<Subscriptions, 8> subscriptions;
  std::map<std::string, std::set<WebSocketSession*>> expected;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t who = random() % subscriptions.size();
    const std::string topic = "topic " + std::to_string(random() % 20);
    switch (random() % 20) {
      case 0:
        topics.leave_all(subscriptions[who]);
        for (auto& [name, members] : expected) members.erase(&session(who));
        break;
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        topics.leave(subscriptions[who], topic);
        expected[topic].erase(&session(who));
        break;
      default:
        topics.join(session(who), subscriptions[who], topic);
        expected[topic].insert(&session(who));
    }
    const std::vector<WebSocketSession*> found = topics.subscribers(topic);
    REQUIRE(std::set(found.begin(), found.end()) == expected[topic]);
    REQUIRE(found.size() == expected[topic].size());  // each once
  }
  for (Subscriptions& each : subscriptions) topics.leave_all(each);
  for (const auto& [name, members] : expected) CHECK(topics.subscribers(name).empty());
}
