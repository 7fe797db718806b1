// WebSocket sessions on real sockets, with an application in C++ on a separate thread: what the
// Python tests cannot show to the thread sanitizer.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "../../limits.h"
#include "../application.h"

namespace httpuv::server {
namespace {

constexpr std::chrono::milliseconds kMoment{1};

constexpr int kText = 1;
constexpr int kBinary = 2;
constexpr int kClose = 8;
constexpr int kPing = 9;
constexpr int kPong = 10;

// A client's frame, masked with zeros.
std::string frame(int opcode, std::string_view payload) {
  std::string out(1, static_cast<char>(0x80 | opcode));
  const std::size_t size = payload.size();
  if (size < 126) {
    out.push_back(static_cast<char>(0x80 | size));
  } else {
    const int bytes = size <= 0xFFFF ? 2 : 8;
    out.push_back(static_cast<char>(0x80 | (bytes == 2 ? 126 : 127)));
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(size >> (8 * i)));
  }
  return out.append(4, '\0').append(payload);
}

struct Frame {
  int opcode = 0;
  bool compressed = false;
  std::string payload;

  [[nodiscard]] int close_code() const {
    return opcode != kClose || payload.size() < 2 ? 0
                                                  : static_cast<unsigned char>(payload[0]) << 8 |
                                                        static_cast<unsigned char>(payload[1]);
  }
};

class Peer {
 public:
  explicit Peer(int port, std::string_view field = {}) : client_(port) {
    client_.send("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
                 std::string(field) +
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                 "Sec-WebSocket-Version: 13\r\n\r\n");
    CHECK(client_.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
  }

  TestClient& wire() { return client_; }
  void say(int opcode, std::string_view payload) { client_.send(frame(opcode, payload)); }

  // Opcode -1 at the end of the stream.
  Frame next() {
    const std::string head = client_.read_exactly(2);
    if (head.size() < 2) return {-1, false, {}};
    std::uint64_t size = static_cast<unsigned char>(head[1]);
    if (size >= 126) {
      const std::string length = client_.read_exactly(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : length) size = size << 8 | static_cast<unsigned char>(byte);
    }
    Frame result;
    result.opcode = head[0] & 0x0F;
    result.compressed = (head[0] & 0x40) != 0;
    result.payload = client_.read_exactly(size);
    return result;
  }
  // The next that is not a ping.
  Frame next_but_pings() {
    Frame result = next();
    while (result.opcode == kPing) result = next();
    return result;
  }

 private:
  TestClient client_;
};

// What the application knows; its thread writes, the test's reads.
struct Seen {
  std::mutex mutex;
  std::vector<ConnectionId> open;
  std::vector<WsCloseEvent> closed;
  std::atomic<int> opened{0};
  std::atomic<int> messages{0};
  std::atomic<int> ended{0};
  std::atomic<int> dropped{0};
  std::atomic<int> drained{0};
  std::atomic<std::uint64_t> taken{0};

  ConnectionId id(int number) {
    while (opened <= number) std::this_thread::sleep_for(kMoment);
    const std::lock_guard lock(mutex);
    return open[static_cast<std::size_t>(number)];
  }
};

void wait_for(const std::atomic<int>& number, int value) {
  while (number < value) std::this_thread::sleep_for(kMoment);
}

Settings settings_of() {
  Settings settings(usual_limits());
  settings.abilities.websocket = true;
  settings.websocket.deflate_loopback = true;
  return settings;
}

enum class Manner { kEcho, kEchoWithoutConsuming, kSilent };

TestServer::Handler application(Seen& seen, Manner manner) {
  return [&seen, manner](Server& self, Event&& event) {
    if (auto* open = std::get_if<WsOpenEvent>(&event)) {
      const ConnectionId id = open->request->id.connection;
      self.post(WsSubscribe{id, "all", true});
      const std::lock_guard lock(seen.mutex);
      seen.open.push_back(id);
      ++seen.opened;
    } else if (auto* message = std::get_if<WsMessageEvent>(&event)) {
      ++seen.messages;
      const std::size_t size = cost_of(*message);
      if (manner != Manner::kSilent) {
        self.post(WsSend{message->id, message->text, true, message->data.joined()});
      }
      if (manner == Manner::kEcho) self.post(WsConsumed{message->id, size});
    } else if (auto* last = std::get_if<WsLastEvent>(&event)) {
      if (manner == Manner::kEcho) self.post(WsConclude{last->id});
    } else if (auto* taken = std::get_if<WsTakenEvent>(&event)) {
      seen.taken = taken->total;
    } else if (auto* gone = std::get_if<WsDroppedEvent>(&event)) {
      seen.dropped += static_cast<int>(gone->count);
    } else if (std::holds_alternative<WsDrainEvent>(event)) {
      ++seen.drained;
    } else if (auto* closed = std::get_if<WsCloseEvent>(&event)) {
      const std::lock_guard lock(seen.mutex);
      seen.closed.push_back(std::move(*closed));
      ++seen.ended;
    }
  };
}

constexpr std::string_view kOffer = "Sec-WebSocket-Extensions: permessage-deflate\r\n";

TEST_CASE("WebSocket: what is compressed on the pool is overtaken by nothing, the Close neither") {
  Seen seen;
  TestServer server(application(seen, Manner::kEcho), settings_of());
  Peer peer(server.port(), kOffer);
  const ConnectionId id = seen.id(0);
  const std::vector<std::size_t> sizes{100'000, 10, 3'000, 400'000, 50'000, 1, 200'000};
  for (const std::size_t size : sizes) {
    server.server().post(WsSend{id, true, true, std::string(size, 'x')});
  }
  server.server().post(WsClose{id, 4000, "done"});
  server.server().post(WsSend{id, true, true, "late"});
  for (const std::size_t size : sizes) {
    const Frame got = peer.next();
    CHECK(got.opcode == kText);
    CHECK(got.compressed == (size >= 1024));
    if (!got.compressed) CHECK(got.payload.size() == size);
  }
  CHECK(peer.next().close_code() == 4000);
  peer.say(kClose, "\x0f\xa0");
  wait_for(seen.ended, 1);
  CHECK(seen.closed[0].clean);
  CHECK(seen.closed[0].code == 4000);
}

TEST_CASE("WebSocket: publishing while subscribers come and go") {
  Seen seen;
  TestServer server(application(seen, Manner::kEcho), settings_of());
  std::atomic<bool> going{true};
  std::thread publisher([&] {
    std::mt19937 random(7);
    while (going) {
      const std::size_t size = random() % 3 == 0 ? 50'000 : 100;
      server.server().post(
          Publish{"all", std::make_shared<Publication>(true, std::string(size, 'p'), true)});
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::vector<std::thread> clients;
  for (int number = 0; number < 4; ++number) {
    clients.emplace_back([&, number] {
      for (int round = 0; round < 10; ++round) {
        Peer peer(server.port(), number % 2 == 0 ? kOffer : std::string_view());
        for (int i = 0; i < 5; ++i) CHECK(peer.next().opcode == kText);
        if (round % 2 == 0) peer.wire().vanish();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  SUBCASE("then they stop") {
    going = false;
  }
  SUBCASE("and the server stops meanwhile") {
    server.stop(0);
  }
  going = false;
  publisher.join();
  wait_for(seen.ended, 40);
  CHECK(seen.ended == 40);
}

TEST_CASE("WebSocket: the server stops at any moment") {
  for (int round = 0; round < 20; ++round) {
    Seen seen;
    TestServer server(application(seen, Manner::kEcho), settings_of());
    std::vector<std::thread> clients;
    std::atomic<int> talked{0};
    for (int number = 0; number < 3; ++number) {
      clients.emplace_back([&, number] {
        Peer peer(server.port(), number == 0 ? kOffer : std::string_view());
        const std::string message(number == 0 ? 60'000 : 100, 'm');
        for (;;) {
          peer.say(kBinary, message);
          const Frame got = peer.next();
          ++talked;
          if (got.opcode == kBinary) continue;
          if (got.opcode == kClose) {
            CHECK(got.close_code() == 1001);
            peer.say(kClose, got.payload);
          }
          break;
        }
      });
    }
    seen.id(2);
    wait_for(talked, 10 + round);
    server.stop(round % 2 == 0 ? 0 : 2'000);
    for (std::thread& client : clients) client.join();
    wait_for(seen.ended, 3);
    CHECK(seen.ended == 3);
  }
}

TEST_CASE("WebSocket: an application that lags has the peer wait, and nothing is lost") {
  Seen seen;
  Settings settings = settings_of();
  settings.limits.ws_max_unread = 100'000;
  TestServer server(application(seen, Manner::kEchoWithoutConsuming), settings);
  Peer peer(server.port());
  const ConnectionId id = seen.id(0);
  constexpr int kMessages = 3000;
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) peer.say(kBinary, std::string(10'000, 'u'));
  });
  std::thread reader([&] {
    for (int i = 0; i < kMessages; ++i) CHECK(peer.next().payload.size() == 10'000);
  });
  // 100 000 bytes of messages of 10 064 and the one that goes past it.
  wait_for(seen.messages, 10);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(seen.messages == 10);
  int consumed = 0;
  while (seen.messages < kMessages) {
    if (consumed < seen.messages) {
      server.server().post(WsConsumed{id, 10'064});
      ++consumed;
    } else {
      std::this_thread::yield();
    }
  }
  sender.join();
  reader.join();
}

TEST_CASE("WebSocket: what waits is told, reported and bounded") {
  Seen seen;
  Settings settings = settings_of();
  settings.websocket.overflow = Overflow::kTell;
  settings.limits.ws_max_queue = 20'000'000;
  TestServer server(application(seen, Manner::kSilent), settings);
  Peer peer(server.port());
  const ConnectionId id = seen.id(0);
  const auto queued = [&] {
    WsQueued query;
    query.id = id;
    std::future<std::size_t> answer = query.answer.get_future();
    REQUIRE(server.server().post(std::move(query)));
    return answer.get();
  };
  CHECK(queued() == 0);
  server.server().post(WsAcknowledge{id});
  for (int i = 0; i < 30; ++i) {
    server.server().post(WsSend{id, false, false, std::string(1'000'000, 'q')});
  }
  server.server().post(WsSend{id, true, false, "end"});  // so short a one has room
  server.server().post(WsAcknowledge{id});
  const std::size_t waiting = queued();
  CHECK(waiting > 0);
  CHECK(waiting <= 20'000'000);
  CHECK(seen.taken == 0);
  int received = 0;
  for (Frame got = peer.next(); got.opcode != kText; got = peer.next()) {
    REQUIRE(got.payload.size() == 1'000'000);
    ++received;
  }
  wait_for(seen.drained, 1);
  CHECK(received + seen.dropped == 30);
  while (seen.taken == 0) std::this_thread::sleep_for(kMoment);
  CHECK(seen.taken == 30'000'003);
  CHECK(queued() == 0);
  peer.wire().vanish();
  wait_for(seen.ended, 1);
  CHECK(queued() == 0);
}

TEST_CASE("WebSocket: a Close frame is answered in time, whatever the application does") {
  Seen seen;
  Settings settings = settings_of();
  settings.limits.ws_close_timeout = 200;
  TestServer server(application(seen, Manner::kSilent), settings);
  for (const std::string& last : {frame(kClose, "\x03\xe8"), frame(3, "nonsense")}) {
    Peer peer(server.port());
    peer.wire().send(frame(kText, "unanswered") + last);
    const auto start = std::chrono::steady_clock::now();
    CHECK(peer.next().close_code() == (last[0] == '\x88' ? 1000 : 1002));
    CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(150));
    CHECK(peer.next().opcode == -1);
  }
  wait_for(seen.ended, 2);
  CHECK(seen.closed[0].clean);
  CHECK(!seen.closed[1].clean);
}

TEST_CASE("WebSocket: pings keep their interval, and silence is cut") {
  Seen seen;
  Settings settings = settings_of();
  settings.limits.ws_ping_interval = 100;
  settings.limits.ws_pong_timeout = 400;
  TestServer server(application(seen, Manner::kEcho), settings);
  {
    Peer peer(server.port());
    for (int i = 0; i < 6; ++i) {
      const Frame got = peer.next();
      CHECK(got.opcode == kPing);
      peer.say(kPong, got.payload);
    }
    // Now it is silent.
    CHECK(peer.next_but_pings().opcode == -1);
  }
  wait_for(seen.ended, 1);
  CHECK(seen.closed[0].code == 1006);
  CHECK(server.server().counters().timed_out.get() == 1);
}

}  // namespace
}  // namespace httpuv::server
