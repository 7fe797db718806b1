// When published messages are sent: without a socket, since there are no subscribers.
#include <memory>
#include <string>

#include <doctest/doctest.h>

#include "../../limits.h"
#include "server/connection/connection.h"
#include "server/fanout/publications.h"

namespace httpuv::server {
namespace {

struct Fixture {
  // A topic with a rule is there without subscribers.
  Settings settings = [] {
    Settings made(usual_limits());
    made.topics.rules.push_back({"*"});
    return made;
  }();
  std::uint64_t offset = 0;
  MetricsMemory metrics{};
  int error = 0;
  std::unique_ptr<net::Loop> loop = net::Loop::create(&error);
  const std::shared_ptr<Budget> budget =
      std::make_shared<Budget>(Budget::Bounds{UINT64_MAX, UINT64_MAX, UINT64_MAX});
  Context context{*loop, settings, settings.limits, metrics, *budget};
  Publications publications{context};

  void add(const std::string& topic, std::size_t size = 1) {
    auto message = std::make_shared<Publication>(true, std::string(size, 'x'), true);
    message->offset = ++offset;
    publications.add({topic, std::move(message)});
  }
};

constexpr bool kEvents = true, kQuiet = false, kIdle = true, kAtWork = false;

TEST_CASE_FIXTURE(Fixture, "Publications: gathered until a turn is quiet and no thread works") {
  CHECK_FALSE(publications.end_turn(kQuiet, kIdle));  // nothing is there
  add("a");
  CHECK_FALSE(publications.end_turn(kEvents, kIdle));
  CHECK_FALSE(publications.end_turn(kEvents, kAtWork));
  CHECK_FALSE(publications.end_turn(kQuiet, kAtWork));
  add("a");
  CHECK(publications.end_turn(kQuiet, kIdle));
  CHECK_FALSE(publications.end_turn(kQuiet, kIdle));
}

TEST_CASE_FIXTURE(Fixture,
                  "Publications: another topic sends what was gathered, and waits itself") {
  add("a");
  add("b");
  CHECK(publications.end_turn(kQuiet, kIdle));
}

TEST_CASE_FIXTURE(Fixture, "Publications: as much as one write should carry goes at once") {
  add("a", 64 * 1024 - 1);
  CHECK_FALSE(publications.end_turn(kEvents, kIdle));
  add("a", 1);
  CHECK_FALSE(publications.end_turn(kQuiet, kIdle));  // gone
}

TEST_CASE_FIXTURE(Fixture, "Publications: what is idle for ever does not stop the loop") {
  add("a");
  CHECK_FALSE(publications.end_turn(kEvents, kIdle));  // asks for another turn
  loop->finish();
  loop->run();
}

}  // namespace
}  // namespace httpuv::server
