// Several loops as one server.
#include "../limits.h"
#include "server/workers.h"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "application.h"

namespace httpuv::server {
namespace {

TEST_CASE("counts that go on where those of an earlier process stood confuse no worker") {
  Settings settings(usual_limits());
  settings.abilities.call = false;
  settings.limits.max_connections = 8;
  settings.metrics = std::make_shared<MetricsMemory>(2);
  for (int life = 1; life <= 2; ++life) {
    Workers workers(settings, 2, [] { return std::make_unique<TestSink>(); });
    Bound bound;
    REQUIRE(workers.listen_tcp("127.0.0.1", 0, &bound, nullptr) == 0);
    REQUIRE(workers.start() == 0);
    std::vector<std::unique_ptr<TestClient>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<TestClient>(bound.port));
      clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      CHECK(clients.back()->read_until("\r\n\r\n").starts_with("HTTP/1.1 404 "));
    }
    CHECK(workers.total(&Counters::connections) == 4);
    CHECK(workers.total(&Counters::accepted) == 4U * static_cast<unsigned>(life));
    CHECK(workers.total(&Counters::evicted) == 0);
    workers.stop(0);
  }
}

}  // namespace
}  // namespace httpuv::server
