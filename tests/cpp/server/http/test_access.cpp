// The access log across the threads: every answer once, in order, within the backlog's bound.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../limits.h"
#include "../application.h"

namespace httpuv::server {
namespace {

AccessRecord record_of(std::size_t size) {
  AccessRecord record;
  record.request = std::string(size, 'x');
  return record;
}

}  // namespace

TEST_CASE("access log: every answer is told once, in its connection's order") {
  constexpr int kThreads = 4, kRounds = 25, kPipelined = 8;
  std::vector<std::string> told;  // on the application's thread, until the server has gone
  std::atomic<int> count{0};
  Settings settings(usual_limits());
  settings.access_log = true;
  {
    TestServer server(
        [&](Server& self, Event&& event) {
          if (const auto* log = std::get_if<LogEvent>(&event)) {
            for (const AccessRecord& record : log->batch.records()) {
              CHECK(record.status == 200);
              CHECK(record.took.count() > 0);
              told.push_back(record.request);
              count.fetch_add(1);
            }
            return;
          }
          echo(self, std::move(event));
        },
        settings);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&server, thread] {
        TestClient client(server.port());
        for (int round = 0; round < kRounds; ++round) {
          std::string requests;
          std::string last;
          for (int i = 0; i < kPipelined; ++i) {
            last = "/" + std::to_string(thread) + "/" + std::to_string(round * kPipelined + i);
            requests += "GET " + last + " HTTP/1.1\r\nHost: x\r\n\r\n";
          }
          client.send(requests);
          client.read_until("GET " + last + " ");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (count.load() < kThreads * kRounds * kPipelined) std::this_thread::yield();
  }
  CHECK(told.size() == kThreads * kRounds * kPipelined);
  std::vector<int> next(kThreads, 0);
  for (const std::string& request : told) {
    const int thread = std::stoi(request.substr(5, 1));
    CHECK(request ==
          "GET /" + std::to_string(thread) + "/" + std::to_string(next[thread]++) + " HTTP/1.1");
  }
}

TEST_CASE(
    "access log: what is beyond the bound is counted, and room comes back with what is told") {
  const auto backlog = std::make_shared<AccessBacklog>();
  AccessBatch batch(backlog);
  const std::size_t half = AccessBacklog::kMost / 2;
  batch.add(record_of(half));
  batch.add(record_of(half));  // and the records themselves: too much
  CHECK(batch.records().size() == 1);
  CHECK(backlog->skipped.load() == 1);
  AccessBatch moved = std::move(batch);
  AccessBatch other = moved.next();
  other.add(record_of(half));
  CHECK(backlog->skipped.load() == 2);
  moved = moved.next();  // told
  CHECK(backlog->bytes.load() == 0);
  other.add(record_of(half));
  CHECK(other.records().size() == 1);
  CHECK(backlog->bytes.load() > half);
}

}  // namespace httpuv::server
