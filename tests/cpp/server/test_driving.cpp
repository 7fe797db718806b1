// A thread that has nothing else to do drives the loop of a server: events are delivered on it, its
// answers need no hand-over, and the loop's own thread goes on whenever it stays away.
#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../limits.h"
#include "application.h"

namespace httpuv::server {
namespace {

const std::string kGetDriven = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// Keeps events and the thread that delivered the last ones.
class Inbox final : public EventSink {
 public:
  void deliver(std::vector<Event>& events) override {
    const std::lock_guard lock(mutex_);
    by_ = std::this_thread::get_id();
    for (Event& event : events) events_.push_back(std::move(event));
    events.clear();
  }
  void log(AccessBatch&&) override {}
  [[nodiscard]] bool idle() const override { return waiting() == 0; }
  [[nodiscard]] bool attended() const override { return true; }

  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return events_.size();
  }
  bool next(Event& event) {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  [[nodiscard]] std::thread::id by() const {
    const std::lock_guard lock(mutex_);
    return by_;
  }

 private:
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::thread::id by_;
};

struct Rig {
  Inbox* inbox = nullptr;
  std::unique_ptr<Server> server;
  int port = 0;

  explicit Rig(Settings settings = Settings(usual_limits())) {
    auto sink = std::make_unique<Inbox>();
    inbox = sink.get();
    server = std::make_unique<Server>(std::move(settings), std::move(sink));
    Bound bound;
    REQUIRE(server->listen_tcp("127.0.0.1", 0, &bound, nullptr) == 0);
    REQUIRE(server->start() == 0);
    port = bound.port;
  }

  // Drives until there is an event, or the server stops. `first`: what happens once it drives.
  void drive(const std::function<void()>& first = [] {}) const {
    if (!server->drive()) return;
    first();
    while (inbox->waiting() == 0 && server->drivable()) server->turn(-1);
    server->pause();
  }
  // Answers what waits.
  void answer() const {
    Event event;
    while (inbox->next(event)) echo(*server, std::move(event));
  }
};

// Drives and answers, until the server stops.
class Application {
 public:
  explicit Application(
      const Rig& rig, std::function<void()> callback = [] {})
      : thread_([&rig, callback = std::move(callback)] {
          while (rig.server->drivable()) {
            rig.drive();
            if (rig.inbox->waiting() > 0) callback();
            rig.answer();
          }
        }) {}
  ~Application() { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace

TEST_CASE(
    "events are delivered on the thread that drives, and its answers leave when it does again") {
  const Rig rig;
  TestClient client(rig.port);
  for (int i = 0; i < 3; ++i) {
    rig.drive([&] { client.send(kGetDriven); });
    CHECK(rig.inbox->by() == std::this_thread::get_id());
    rig.answer();
    if (rig.server->resume()) rig.server->pause();
    CHECK(client.read_until("GET /a ").starts_with("HTTP/1.1 200 OK\r\n"));
  }
}

TEST_CASE("a thread that stays away is not waited for") {
  const Rig rig;
  TestClient client(rig.port);
  rig.drive([&] { client.send(kGetDriven); });
  rig.answer();  // and nothing more: the loop's own thread finds the answer
  client.read_until("GET /a ");
  TestClient other(rig.port);
  other.send("GET  /\r\n\r\n");
  CHECK(other.read_all().starts_with("HTTP/1.1 400 "));
}

TEST_CASE("a callback that waits for the loop is answered") {
  const Rig rig;
  TestClient client(rig.port);
  rig.drive([&] { client.send(kGetDriven); });
  IsPresent question;
  Event event;
  REQUIRE(rig.inbox->next(event));
  question.id = std::get<RequestEvent>(event).envelope->id;
  std::future<bool> present = question.answer.get_future();
  REQUIRE(rig.server->post(std::move(question)));
  rig.server->hurry();
  CHECK(present.get());
  echo(*rig.server, std::move(event));
  client.read_until("GET /a ");
}

TEST_CASE("a server is stopped while it is driven, paused and guarded") {
  const Rig rig;
  SUBCASE("driven") {
    const Application application(rig);
    TestClient client(rig.port);
    client.send(kGetDriven);
    client.read_until("GET /a ");
    rig.server->stop(0);
  }
  SUBCASE("paused, by the thread that drove") {
    TestClient client(rig.port);
    rig.drive([&] { client.send(kGetDriven); });
    rig.server->stop(0);
  }
  SUBCASE("guarded") {
    rig.server->stop(0);
  }
  CHECK(!rig.server->drive());
  CHECK(!rig.server->resume());
  CHECK(!rig.server->answers());
}

TEST_CASE("a byte written to its bell ends the wait of a turn") {
  const Rig rig;
  REQUIRE(rig.server->drive());
  rig.server->open_bell();
  REQUIRE(rig.server->bell() >= 0);
  const char byte = 2;
  REQUIRE(::write(rig.server->bell(), &byte, 1) == 1);
  rig.server->turn(-1);
  CHECK(rig.server->bell_rang());
  CHECK(!rig.server->bell_rang());
  rig.server->pause();
}

TEST_CASE("a turn ends when its time has passed") {
  const Rig rig;
  REQUIRE(rig.server->drive());
  rig.server->turn(5);
  rig.server->pause();
}

TEST_CASE("many clients, callbacks of all lengths, commands from other threads") {
  const Rig rig;
  std::atomic<int> count{0};
  const Application application(rig, [&] {
    const int n = ++count % 16;
    if (n == 0) std::this_thread::sleep_for(std::chrono::milliseconds(4));
    if (n == 7) std::this_thread::sleep_for(std::chrono::microseconds(700));
  });
  std::atomic<bool> over{false};
  std::thread asker([&] {
    while (!over) {
      WsQueued question;
      std::future<std::size_t> answer = question.answer.get_future();
      if (rig.server->post(std::move(question))) answer.wait();
    }
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&rig, i] {
      TestClient client(rig.port);
      for (int number = 0; number < 200; ++number) {
        const std::string path = "/" + std::to_string(i) + "x" + std::to_string(number) + "x";
        client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
        client.read_until("GET " + path + " ");
      }
    });
  }
  for (std::thread& client : clients) client.join();
  over = true;
  asker.join();
  CHECK(rig.server->counters().requests.get() == 800);
  rig.server->stop(0);
}

}  // namespace httpuv::server
