// What other interfaces than Rook ask of the server: handshakes that wait for the application's
// word, applications below a path, files within a stream, trailers, informational answers, and
// threads that wait for a client.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "../../limits.h"
#include "../application.h"

namespace httpuv::server {
namespace {

constexpr std::string_view kHandshake =
    "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";
constexpr std::string_view kGetBytes = "GET /x HTTP/1.1\r\nHost: x\r\n\r\n";

Settings waiting() {
  Settings settings(usual_limits());
  settings.abilities.websocket = true;
  settings.abilities.ws_waits = true;
  return settings;
}

http::ResponseHead head_of(int status) {
  http::ResponseHead head;
  head.status = status;
  head.add("X-Own", "yes");
  return head;
}

FileBody file_of(const std::string& content, std::uint64_t offset, std::uint64_t length) {
  char path[] = "/tmp/httpuv-test-XXXXXX";
  FileBody body;
  body.file = base::Descriptor(::mkstemp(path));
  ::unlink(path);
  REQUIRE(::write(body.file.get(), content.data(), content.size()) ==
          static_cast<ssize_t>(content.size()));
  body.offset = offset;
  body.length = length;
  return body;
}

}  // namespace

TEST_CASE("a handshake waits for the application, which chooses protocol and fields") {
  std::atomic<int> messages{0};
  TestServer server(
      [&](Server& self, Event&& event) {
        if (auto* open = std::get_if<WsOpenEvent>(&event)) {
          CHECK(open->waiting);
          self.post(WsAccept{open->request->id, "b", head_of(200)});
          self.post(WsSend{open->request->id.connection, true, false, "hello"});
        } else if (std::holds_alternative<WsMessageEvent>(event)) {
          ++messages;
        }
      },
      waiting());
  TestClient client(server.port());
  client.send(kHandshake);
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 101 "));
  CHECK(head.find("Sec-WebSocket-Protocol: b\r\n") != std::string::npos);
  CHECK(head.find("X-Own: yes\r\n") != std::string::npos);
  CHECK(client.read_exactly(7) == "\x81\x05hello");
  server.stop(0);
}

TEST_CASE("a handshake is answered with something else, and the connection goes on") {
  int asked = 0;
  TestServer server(
      [&](Server& self, Event&& event) {
        if (auto* open = std::get_if<WsOpenEvent>(&event)) {
          ++asked;
          respond(self, std::move(open->request), 403, "no");
        } else {
          echo(self, std::move(event));
        }
      },
      waiting());
  TestClient client(server.port());
  client.send(kHandshake);
  CHECK(client.read_until("no").starts_with("HTTP/1.1 403 "));
  client.send(kGetBytes);
  CHECK(client.read_until("GET /x ").find("200 OK") != std::string::npos);
  CHECK(asked == 1);
}

TEST_CASE("a handshake without the application's word is refused in time, and when it stops") {
  std::atomic<int> abandoned{0};
  std::atomic<int> asked{0};
  const auto silent = [&](Server&, Event&& event) {
    asked += std::holds_alternative<WsOpenEvent>(event) ? 1 : 0;
    abandoned += std::holds_alternative<AbandonedEvent>(event) ? 1 : 0;
  };
  SUBCASE("deadline") {
    Settings settings = waiting();
    settings.limits.ws_accept_timeout = 50;
    TestServer server(silent, settings);
    TestClient client(server.port());
    client.send(kHandshake);
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 503 "));
  }
  SUBCASE("stop") {
    TestServer server(silent, waiting());
    TestClient client(server.port());
    client.send(kHandshake);
    while (asked == 0) std::this_thread::yield();
    server.stop(5000);
    CHECK(client.read_all().starts_with("HTTP/1.1 503 "));
  }
  CHECK(asked == 1);
  while (abandoned == 0) std::this_thread::yield();
}

TEST_CASE("each application answers below its mount, however the path is spelled") {
  Settings settings(usual_limits());
  settings.abilities.call = false;
  settings.mounts.push_back({"/a/b", {}});
  settings.mounts.push_back({"/a", {}});
  TestServer server(
      [](Server& self, Event&& event) {
        if (auto* request = std::get_if<RequestEvent>(&event)) {
          const int mount = request->envelope->mount;
          respond(self, std::move(request->envelope), 200, "mount " + std::to_string(mount) + ".");
        }
      },
      settings);
  TestClient client(server.port());
  const auto ask = [&](const std::string& path) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
  };
  ask("/a/b/c");
  CHECK(client.read_until("mount 1.").find("200") != std::string::npos);
  ask("/%61?x");
  CHECK(client.read_until("mount 2.").find("200") != std::string::npos);
  ask("/ab");
  CHECK(client.read_until("Not Found").find("404") != std::string::npos);
}

TEST_CASE("a short body comes as a whole, a long one in pieces") {
  Settings settings(usual_limits());
  settings.abilities.stream_body = true;
  settings.abilities.gather_body = 4;
  TestServer server(
      [](Server& self, Event&& event) {
        if (auto* request = std::get_if<RequestEvent>(&event)) {
          const bool whole = !request->envelope->headers_only;
          respond(self, std::move(request->envelope), 200, whole ? "whole" : "pieces");
        }
      },
      settings);
  TestClient client(server.port());
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd");
  client.read_until("whole");
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde");
  CHECK(client.read_until("pieces").find("200") != std::string::npos);
}

TEST_CASE("a stream has parts of files in it, trailers behind it and hints before it") {
  const auto answer = [](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    const ExchangeId id = request->envelope->id;
    self.post(Inform{id, head_of(103)});
    self.post(StreamHead{id, head_of(200), std::nullopt, {}, true});
    self.post(StreamData{id, "one,"});
    self.post(StreamFile{id, file_of("0123456789", 2, 3)});
    self.post(StreamData{id, ",two"});
    StreamRoom room{id, {}};
    std::future<bool> taken = room.answer.get_future();
    self.post(std::move(room));
    if (id.sequence == 0) CHECK(taken.get());  // a later one waits for its turn
    self.post(StreamEnd{id, "X-Sum: 7\r\n"});
    StreamRoom late{id, {}};
    std::future<bool> over = late.answer.get_future();
    self.post(std::move(late));
    if (id.sequence == 0) CHECK_FALSE(over.get());
  };
  TestServer server(answer);
  TestClient client(server.port());
  client.send(std::string(kGetBytes) + std::string(kGetBytes));
  const std::string end = "\r\n0\r\nX-Sum: 7\r\n\r\n";
  const std::string first = client.read_until(end);
  CHECK(first.starts_with("HTTP/1.1 103 Early Hints\r\nX-Own: yes\r\n\r\nHTTP/1.1 200 OK\r\n"));
  CHECK(first.find("4\r\none,\r\n3\r\n234\r\n4\r\n,two\r\n0\r\n") != std::string::npos);
  CHECK(client.read_until(end).find("3\r\n234\r\n") != std::string::npos);
}

TEST_CASE("a thread that waits for a client goes on when that takes the bytes, or goes") {
  std::atomic<int> outcome{0};
  TestServer server([&](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    const ExchangeId id = request->envelope->id;
    self.post(StreamHead{id, head_of(200), std::nullopt, {}, true});
    self.post(StreamData{id, std::string(20'000'000, 'x')});
    StreamRoom room{id, {}};
    std::future<bool> taken = room.answer.get_future();
    self.post(std::move(room));
    outcome = 1;
    outcome = taken.get() ? 2 : 3;
    self.post(StreamEnd{id});
  });
  TestClient client(server.port());
  client.send(kGetBytes);
  while (outcome == 0) std::this_thread::yield();
  CHECK(outcome == 1);
  SUBCASE("takes them") {
    client.read_until("\r\n0\r\n\r\n");
    while (outcome == 1) std::this_thread::yield();
    CHECK(outcome == 2);
  }
  SUBCASE("goes") {
    client.vanish();
    while (outcome == 1) std::this_thread::yield();
    CHECK(outcome == 3);
  }
}

}  // namespace httpuv::server
