// What a server tells its operator: health, metrics, and its clients' addresses behind proxies.
#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "../../limits.h"
#include "../world.h"
#include "server/observe/families.h"
#include "server/observe/metrics_memory.h"

namespace httpuv::server::test {
namespace {

std::string get_observed(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
}

Settings with_paths() {
  Settings settings(usual_limits());
  settings.builtin.health = "/livez";
  settings.builtin.ready = "/readyz";
  settings.builtin.metrics = "/metrics";
  return settings;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

// A file that no name leads to.
struct Shared {
  std::FILE* file = std::tmpfile();
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { std::fclose(file); }
  [[nodiscard]] int fd() const { return fileno(file); }
};

}  // namespace

TEST_CASE("health is answered without the application, and in order") {
  World world(with_paths());
  world.receive(get_observed("/app") + get_observed("/livez") + get_observed("/readyz"));
  REQUIRE(world.asked().size() == 1);
  CHECK(world.answers().empty());
  world.respond(world.asked()[0], 200, "x");
  REQUIRE(world.answers().size() == 3);
  CHECK(world.answers()[1].body == "ok\n");
  CHECK(world.answers()[2].status == 200);
  world.close();
}

TEST_CASE("a server that stops is not ready") {
  World world(with_paths());
  world.receive(get_observed("/app") + get_observed("/readyz"));
  world.drain();
  world.respond(world.asked()[0], 200, "x");
  CHECK(world.answers().back().field("connection") == "close");
}

TEST_CASE("a server whose broker is away is not ready, unless it is to be nevertheless") {
  World world(with_paths());
  const auto ask = [&](BrokerState state, const std::string& path) {
    world.metrics().own().gauges.broker = static_cast<std::uint64_t>(state);
    world.receive(get_observed(path));
    return world.answers().back();
  };
  CHECK(ask(BrokerState::kNone, "/readyz").status == 200);
  CHECK(ask(BrokerState::kNone, "/metrics").body.find("httpuv_broker") == std::string::npos);
  CHECK(ask(BrokerState::kThere, "/readyz").status == 200);
  CHECK(has_line(ask(BrokerState::kThere, "/metrics").body, "httpuv_broker_away 0"));
  CHECK(ask(BrokerState::kAwayNotReady, "/readyz").body == "the broker is away\n");
  CHECK(world.answers().back().status == 503);
  CHECK(ask(BrokerState::kAway, "/readyz").status == 200);
  CHECK(has_line(ask(BrokerState::kAway, "/metrics").body, "httpuv_broker_away 1"));
  CHECK(ask(BrokerState::kAwayNotReady, "/livez").status == 200);
  world.close();
}

TEST_CASE("metrics count requests by what answered them") {
  World world(with_paths());
  world.receive(get_observed("/app"));
  world.respond(world.asked()[0], 201, "x");
  world.receive(get_observed("/livez"));
  world.receive(get_observed("/metrics"));
  const std::string& text = world.answers().back().body;
  CHECK(has_line(text, R"(http_server_requests_total{method="GET",kind="app",status="201"} 1)"));
  CHECK(
      has_line(text, R"(http_server_requests_total{method="GET",kind="builtin",status="200"} 1)"));
  CHECK(has_line(
      text, R"(http_server_request_duration_seconds_bucket{method="GET",kind="app",le="+Inf"} 1)"));
  CHECK(has_line(text, R"(http_server_connections{state="reading"} 1)"));
  world.close();
}

TEST_CASE("refusals are counted with their reason") {
  World world(with_paths());
  world.receive("GET / HTTP/1.1\r\n\r\n");
  CHECK(world.answers().at(0).status == 400);
  const RefusalTable& table = world.metrics().own().refusals;
  REQUIRE(table.size() == 1);
  CHECK(table.entry(0).status == 400);
  CHECK(std::string(table.entry(0).reason.data()) == "missing, repeated or invalid Host");
}

TEST_CASE("more reasons than there is room for are counted together") {
  MetricsMemory memory;
  RefusalTable& table = memory.own().refusals;
  for (int i = 0; i < 100; ++i) table.count(400, "reason " + std::to_string(i));
  CHECK(table.size() == RefusalTable::kMost);
  CHECK(std::string(table.entry(RefusalTable::kMost - 1).reason.data()) == "other");
  CHECK(table.entry(RefusalTable::kMost - 1).count.get() == 100 - RefusalTable::kMost + 1);
}

TEST_CASE("workers add up, and what one has counted stays when it has ended") {
  const Shared file;
  int error = 0;
  auto first = MetricsMemory::open(file.fd(), 0, 1, &error);
  auto second = MetricsMemory::open(file.fd(), 1, 1, &error);
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  for (MetricsMemory* each : {first.get(), second.get()}) {
    each->own().count_answer(Method::kGet, AnsweredBy::kApplication, 200, 7'000'000);
    each->own().gauges.connections[0] = 2;
  }
  const auto text = [&] { return prometheus_text(families(*first, {})); };
  const std::string requests =
      R"(http_server_requests_total{method="GET",kind="app",status="200"} )";
  CHECK(has_line(text(), requests + "2"));
  CHECK(has_line(text(), R"(http_server_connections{state="idle"} 4)"));
  CHECK(has_line(text(), "httpuv_workers 2"));
  second.reset();
  auto parent = MetricsMemory::watch(file.fd(), &error);
  REQUIRE(parent != nullptr);
  parent->leave(1);
  CHECK(has_line(text(), requests + "2"));
  CHECK(has_line(text(), R"(http_server_connections{state="idle"} 2)"));
  CHECK(has_line(text(), "httpuv_workers 1"));
  second = MetricsMemory::open(file.fd(), 1, 1, &error);
  second->own().count_answer(Method::kGet, AnsweredBy::kApplication, 200, 7'000'000);
  CHECK(has_line(text(), requests + "3"));
  second->forget();  // as a child that it forks does
  second->own().count_answer(Method::kGet, AnsweredBy::kApplication, 200, 7'000'000);
  CHECK(has_line(text(), requests + "3"));
  CHECK(MetricsMemory::open(file.fd(), MetricsMemory::kPlaces, 1, &error) == nullptr);
}

TEST_CASE("how long the oldest waits") {
  MetricsMemory memory;
  Metrics& metrics = memory.own();
  WaitingLine line(metrics);
  CHECK(line.oldest_ms(1000) == 0);
  line.handed(2, 1000);
  line.handed(1, 1500);
  CHECK(line.depth() == 3);
  CHECK(line.oldest_ms(2000) == 1000);
  metrics.gauges.begun = 1;
  CHECK(line.oldest_ms(2000) == 1000);
  metrics.gauges.begun = 2;
  CHECK(line.oldest_ms(2000) == 500);
  metrics.gauges.begun = 3;
  CHECK(line.oldest_ms(2000) == 0);
  CHECK(line.depth() == 0);
}

TEST_CASE("when Python is stuck") {
  MetricsMemory memory;
  Metrics& metrics = memory.own();
  constexpr std::uint64_t kSecond = 1'000'000'000;
  metrics.callbacks.threads = 2;
  metrics.callbacks.progress_ns = 10 * kSecond;
  CHECK(stuck_seconds(metrics.callbacks, metrics, 100 * kSecond) == 0);
  metrics.callbacks.running.add();  // of two
  CHECK(stuck_seconds(metrics.callbacks, metrics, 100 * kSecond) == 0);
  metrics.callbacks.running.add();
  CHECK(stuck_seconds(metrics.callbacks, metrics, 100 * kSecond) == 90);
  metrics.callbacks.running.subtract(2);
  WaitingLine line(metrics);
  line.handed(1, 70'000);
  CHECK(stuck_seconds(metrics.callbacks, metrics, 100 * kSecond) == 30);
  metrics.gauges.begun = 1;
  CHECK(stuck_seconds(metrics.callbacks, metrics, 100 * kSecond) == 0);
}

TEST_CASE("a proxy that is trusted names the client") {
  Settings settings(usual_limits());
  settings.access_log = true;
  REQUIRE(settings.proxies.add("192.0.2.1"));  // the peer of this world
  World world(std::move(settings));
  world.receive(get_observed("/",
                             "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
                             "X-Forwarded-Host: www.example\r\n") +
                get_observed("/"));
  REQUIRE(world.asked().size() == 2);
  const Asked& told = world.asked()[0];
  CHECK(told.client == "203.0.113.9");
  CHECK(told.https);
  CHECK(told.host == "www.example");
  const Asked& plain = world.asked()[1];
  CHECK(plain.client == "192.0.2.1");
  CHECK_FALSE(plain.https);
  CHECK(plain.host == "x");
  world.respond(world.asked()[0], 200, "x");
  world.close();
}

TEST_CASE("another is not believed") {
  Settings settings(usual_limits());
  REQUIRE(settings.proxies.add("192.0.2.2"));
  World world(std::move(settings));
  world.receive(get_observed("/", "X-Forwarded-For: 203.0.113.9\r\nForwarded: proto=https\r\n"));
  CHECK(world.asked().at(0).client == "192.0.2.1");
  CHECK_FALSE(world.asked().at(0).https);
  world.close();
}

TEST_CASE("the PROXY protocol") {
  Settings settings(usual_limits());
  settings.proxy_protocol = true;
  SUBCASE("in pieces, with the request behind") {
    World world(settings);
    world.receive("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n" + get_observed("/"), 3);
    CHECK(world.asked().at(0).client == "203.0.113.9");
    world.close();
  }
  SUBCASE("that does not come") {
    World world(settings);
    SUBCASE("but something else") {
      world.receive(get_observed("/"));
    }
    SUBCASE("in time") {
      world.receive("PROXY TCP4");
      world.advance(21'000);
    }
    SUBCASE("at all") {
      world.half_close();
    }
    CHECK_FALSE(world.open());
    CHECK(world.peer().sent.empty());
  }
  SUBCASE("from a proxy that is not trusted") {
    REQUIRE(settings.proxies.add("192.0.2.2"));
    World world(settings);
    world.receive("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n" + get_observed("/"));
    CHECK_FALSE(world.open());
    CHECK(world.asked().empty());
  }
}

}  // namespace httpuv::server::test
