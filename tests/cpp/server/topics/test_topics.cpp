// Topics: their members after any sequence of joining and leaving, and when they are forgotten.
// The sessions are names only.
#include "server/topics/topics.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "../world.h"

namespace httpuv::server {
namespace {

// Never dereferenced by Topics.
WebSocketSession& session(std::size_t number) {
  static std::array<std::max_align_t, 16> storage;
  return *reinterpret_cast<WebSocketSession*>(&storage[number]);
}

SharedPublication message(std::uint64_t offset, std::string_view data = "x") {
  auto made = std::make_shared<Publication>(true, data, true);
  made->offset = offset;
  return made;
}

struct TopicsFixture {
  test::FakeReactor clock{};
  TopicSettings settings{};
  Budget budget{{1 << 30, 0, 1 << 30}};
  Sequencer sequencer{};
  Subscriptions one{session(0)};

  // The next message of a topic, as it is published.
  SharedPublication next(const std::string& topic) {
    SharedPublication made;
    sequencer.publish(topic, [&](Position&& at) {
      made = message(at.offset);
      made->epoch = at.epoch;
      return true;
    });
    return made;
  }
  void join(Topics& topics, const std::string& name) {
    const std::array<std::string, 1> names{name};
    sequencer.join(names, [&](std::vector<TopicHold>&& holds) {
      topics.join(topics.open(name, &holds.front()), one);
      return true;
    });
  }
};

TEST_CASE_FIXTURE(TopicsFixture, "Topics: any order of joining and leaving") {
  Topics topics(clock, settings, budget);
  std::vector<std::unique_ptr<Subscriptions>> subscriptions;
  for (std::size_t i = 0; i < 8; ++i) {
    subscriptions.push_back(std::make_unique<Subscriptions>(session(i)));
  }
  std::map<std::string, std::set<WebSocketSession*>> expected;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; ++step) {
    const std::size_t who = random() % subscriptions.size();
    const std::string name = "topic " + std::to_string(random() % 20);
    switch (random() % 20) {
      case 0:
        topics.leave_all(*subscriptions[who]);
        for (auto& [each, members] : expected) members.erase(&session(who));
        break;
      case 1:
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        topics.leave(*subscriptions[who], name);
        expected[name].erase(&session(who));
        break;
      default:
        topics.join(topics.open(name), *subscriptions[who]);
        expected[name].insert(&session(who));
    }
    const Topic* const topic = topics.find(name);
    const auto found =
        topic != nullptr ? Topics::sessions(*topic) : std::vector<WebSocketSession*>();
    REQUIRE(std::set(found.begin(), found.end()) == expected[name]);
    REQUIRE(found.size() == expected[name].size());  // each once
  }
  for (const auto& each : subscriptions) topics.leave_all(*each);
  CHECK(topics.size() == 0);
}

TEST_CASE_FIXTURE(TopicsFixture, "Topics: one without a rule lives as long as its subscribers") {
  Topics topics(clock, settings, budget);
  topics.use(&sequencer);
  CHECK(topics.record("t", next("t")) == nullptr);
  const SharedPublication first = next("t");
  CHECK(first->offset == 1);  // it was forgotten, so it begins anew
  CHECK(topics.record("t", first) == nullptr);

  const std::array<std::string, 1> names{"t"};
  sequencer.join(names, [&](std::vector<TopicHold>&& holds) {
    topics.join(topics.open("t", &holds.front()), one);
    return true;
  });
  const Position at = topics.find("t")->position();
  CHECK(at.offset == 0);
  const SharedPublication second = next("t");
  CHECK(second->offset == 1);
  CHECK(second->epoch == at.epoch);
  CHECK(topics.record("t", second) == topics.find("t"));
  CHECK(topics.record("t", second) == nullptr);  // it had that
  topics.leave_all(one);
  CHECK(topics.find("t") == nullptr);
  CHECK(next("t")->epoch != at.epoch);
}

TEST_CASE_FIXTURE(TopicsFixture, "Topics: several loops have the same epoch and offsets") {
  settings.rules.push_back({"kept", {10, 100'000, 1000}, {}});
  Topics here(clock, settings, budget);
  Topics there(clock, settings, budget);
  here.use(&sequencer);
  there.use(&sequencer);
  const SharedPublication message = next("kept");
  here.record("kept", message);
  there.record("kept", message);
  CHECK(here.find("kept")->position() == there.find("kept")->position());
  // A subscriber that is on its way behind a message, and a loop that has not known the topic.
  join(here, "t");
  const SharedPublication first = next("t");
  here.record("t", first);
  CHECK(there.record("t", first) == nullptr);
  const std::array<std::string, 1> names{"t"};
  auto holds = sequencer.join(names, [](std::vector<TopicHold>&& made) { return std::move(made); });
  const SharedPublication second = next("t");
  Topic& topic = there.open("t", &holds.front());
  CHECK(topic.position() == here.find("t")->position());
  CHECK(there.record("t", second) == &topic);
  here.leave_all(one);
  CHECK(next("t")->offset == 3);  // the other one knows it still
}

TEST_CASE_FIXTURE(TopicsFixture, "Topics: with a rule it keeps its messages, and then its place") {
  settings.rules.push_back({"kept*", {10, 100'000, 1000}, {}});
  settings.most_idle = 2;
  Topics topics(clock, settings, budget);
  topics.use(&sequencer);
  topics.record("kept", next("kept"));
  const Position at = topics.find("kept")->position();
  CHECK(topics.find("kept")->reaches({at.epoch, 0}));
  CHECK(topics.stats("kept").messages == 1);
  clock.advance(1100);
  CHECK(topics.stats("kept").messages == 0);
  CHECK(topics.find("kept")->reaches(at));  // nothing has come since
  CHECK_FALSE(topics.find("kept")->reaches({at.epoch, 0}));
  CHECK_FALSE(topics.find("kept")->reaches({"other", at.offset}));
  // Of those that are idle the oldest is forgotten.
  for (const char* name : {"kept 1", "kept 2"}) topics.record(name, next(name));
  CHECK(topics.find("kept") != nullptr);
  clock.advance(1100);
  CHECK(topics.find("kept") == nullptr);
  CHECK(topics.find("kept 1") != nullptr);
  CHECK(next("kept")->offset == 1);
}

TEST_CASE_FIXTURE(TopicsFixture, "Topics: of a broker, loaded by its word and released by it") {
  settings.brokered = true;
  settings.rules.push_back({"*", {10, 100'000, 1000}, {}});
  Topics topics(clock, settings, budget);
  CHECK(topics.record("t", message(7)) == nullptr);  // there is no subscriber
  Topic& topic = topics.open("t");
  CHECK_FALSE(topic.loaded());
  SlotMap<Connection> connections;
  topics.park(topic, Feed{}, connections);
  CHECK(topics.needs().unloaded == std::vector<std::string>{"t"});
  CHECK_FALSE(topics.release("t"));
  CHECK_FALSE(topics.load(topic, {"e", 9}, {message(8), message(9)}));
  CHECK(topics.take_parked(topic).size() == 1);
  CHECK(topic.position() == Position{"e", 9});
  CHECK(topic.reaches({"e", 7}));
  CHECK_FALSE(topic.reaches({"e", 6}));
  CHECK(topics.load(topic, {"f", 2}, {}));  // it has to begin anew
  CHECK(topics.needs().unused == std::vector<std::string>{"t"});
  topics.join(topic, one);
  CHECK_FALSE(topics.release("t"));
  topics.leave_all(one);
  CHECK(topics.release("t"));
  CHECK(topics.find("t") == nullptr);
}

TEST_CASE_FIXTURE(TopicsFixture, "Topics: of a broker, behind a client of another server") {
  settings.brokered = true;
  settings.rules.push_back({"*", {10, 100'000, 1000}, {}});
  Topics topics(clock, settings, budget);
  Topic& topic = topics.open("t");
  topics.load(topic, {"e", 9}, {});
  CHECK(topic.is_behind({"e", 10}));
  CHECK_FALSE(topic.is_behind({"e", 9}));
  CHECK_FALSE(topic.is_behind({"f", 10}));
  SlotMap<Connection> connections;
  topics.park(topic, Feed{}, connections);
  CHECK(topics.needs().behind == std::vector<std::string>{"t"});
  CHECK(topics.needs().unloaded.empty());
  CHECK_FALSE(topics.release("t"));
  // The broker may be away for long: what clients that have gone had asked for is not kept.
  for (int i = 0; i < 10'000; ++i) topics.park(topic, Feed{}, connections);
  CHECK(topics.take_parked(topic).size() <= 64);
}

TEST_CASE("Topics: the rule of each topic") {
  TopicSettings settings;
  for (const char* pattern : {"*", "chat/*", "chat/*/log", "news", "c*"}) {
    settings.rules.push_back({pattern});
  }
  const auto rule = [&](const char* topic) { return settings.rule_of(topic)->pattern; };
  CHECK(rule("news") == "news");
  CHECK(rule("newspaper") == "*");
  CHECK(rule("chat/1") == "chat/*");
  CHECK(rule("chat/") == "chat/*");
  CHECK(rule("chat/1/log") == "chat/*/log");
  CHECK(rule("chat") == "c*");
  CHECK(rule("") == "*");
  settings.rules.erase(settings.rules.begin());
  CHECK(settings.rule_of("other") == nullptr);
  CHECK(matches("a*b*c", "a-b-b-c"));
  CHECK_FALSE(matches("a*b*c", "a-c-b"));
  CHECK_FALSE(matches("", "a"));
}

}  // namespace
}  // namespace httpuv::server
