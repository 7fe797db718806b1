// A whole server with an application on another thread: the order of answers, ends of all kinds,
// and what happens when both sides act at once.
#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../limits.h"
#include "application.h"

namespace httpuv::server {
namespace {

const std::string kGetRequest = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string body_after_head(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("a request is answered, and the connection kept") {
  TestServer server(echo);
  TestClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.send(kGetRequest);
    const std::string answer = client.read_until("GET /a ");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("Connection:") == std::string::npos);
  }
  CHECK(server.server().counters().accepted.get() == 1);
  CHECK(server.server().counters().requests.get() == 3);
}

TEST_CASE("answers leave in the order of the requests, whatever the order they are made in") {
  std::vector<EnvelopePtr> waiting;
  TestServer server([&](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    waiting.push_back(std::move(request->envelope));
    if (waiting.size() < 4) return;
    for (const std::size_t i : {3U, 1U, 0U, 2U}) {
      respond(self, std::move(waiting[i]), 200, "<" + std::to_string(i) + ">");
    }
  });
  TestClient client(server.port());
  std::string all;
  for (int i = 0; i < 4; ++i) all += kGetRequest;
  client.send(all);
  std::string order;
  for (int i = 0; i < 4; ++i) order += body_after_head(client.read_until(">"));
  CHECK(order == "<0><1><2><3>");
}

TEST_CASE("a broken request is answered behind the good ones before it, and ends the connection") {
  TestServer server(echo);
  TestClient client(server.port());
  client.send(kGetRequest + kGetRequest + "GET  /\r\n\r\n" + kGetRequest);
  const std::string all = client.read_all();
  CHECK(all.find("HTTP/1.1 400 ") > all.rfind("GET /a "));
  CHECK(all.find("HTTP/1.1 400 ") != std::string::npos);
  CHECK(all.find("Connection: close") != std::string::npos);
}

TEST_CASE("a client that half-closes still gets its answer, and then the end") {
  TestServer server(echo);
  TestClient client(server.port());
  client.send(kGetRequest);
  client.half_close();
  const std::string all = client.read_all();
  CHECK(body_after_head(all) == "GET /a ");
}

TEST_CASE("without a call, and with a full queue, the loop answers by itself") {
  SUBCASE("404") {
    Settings settings(usual_limits());
    settings.abilities.call = false;
    TestServer server(echo, settings);
    TestClient client(server.port());
    client.send(kGetRequest);
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 404 "));
  }
  SUBCASE("503") {
    Settings settings(usual_limits());
    settings.limits.queue_requests = 2;
    std::vector<EnvelopePtr> waiting;
    TestServer server(
        [&](Server& self, Event&& event) {
          auto* request = std::get_if<RequestEvent>(&event);
          if (request == nullptr) return;
          waiting.push_back(std::move(request->envelope));
          if (waiting.size() < 2) return;
          for (EnvelopePtr& each : waiting) respond(self, std::move(each), 200, "ok");
        },
        settings);
    TestClient client(server.port());
    client.send(kGetRequest + kGetRequest + kGetRequest);
    client.read_until(" 503 ");
    const std::string last = client.read_until("\r\n\r\n");
    CHECK(last.find("Retry-After: 1") != std::string::npos);
    CHECK(server.server().counters().overloaded.get() == 1);
    CHECK(server.server().counters().in_flight.get() == 0);
  }
}

TEST_CASE("an application hears of heads first where it asks to") {
  Settings settings(usual_limits());
  settings.abilities.on_headers = true;
  std::atomic<int> heads{0};
  TestServer server(
      [&](Server& self, Event&& event) {
        auto* request = std::get_if<RequestEvent>(&event);
        if (request == nullptr) return;
        if (!request->envelope->headers_only) {
          return respond(self, std::move(request->envelope), 200,
                         "got " + std::to_string(request->envelope->body.length));
        }
        ++heads;
        const http::RequestHead& head = request->envelope->request;
        if (head.view(head.path) == "/no") {
          return respond(self, std::move(request->envelope), 403, "no");
        }
        self.post(Continue{request->envelope->id});
      },
      settings);
  SUBCASE("it lets one go on: 100, then the body, then the answer") {
    TestClient client(server.port());
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello");
    CHECK(body_after_head(client.read_until("got 5")) == "got 5");
  }
  SUBCASE("it refuses one before its body came") {
    TestClient client(server.port());
    client.send("PUT /no HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const std::string all = client.read_all();
    CHECK(all.starts_with("HTTP/1.1 403 "));
    CHECK(all.find("Connection: close") != std::string::npos);
  }
  CHECK(heads == 1);
}

TEST_CASE("a long body goes to a file and comes whole") {
  TestServer server([](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    const RequestBody& body = request->envelope->body;
    const bool filed = body.file.get() >= 0 && body.bytes.empty();
    respond(self, std::move(request->envelope), 200,
            (filed ? "file " : "memory ") + std::to_string(body.length) + ".");
  });
  TestClient client(server.port());
  for (const std::size_t size : {1000UL, 65536UL, 65537UL, 5000000UL}) {
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(size) +
                "\r\n\r\n" + std::string(size, 'b'));
    const std::string expected = (size > 65536 ? "file " : "memory ") + std::to_string(size) + ".";
    CHECK(body_after_head(client.read_until(expected)) == expected);
  }
}

TEST_CASE("streamed answers") {
  TestServer server([](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    const ExchangeId id = request->envelope->id;
    const http::RequestHead& head = request->envelope->request;
    const bool exact = head.view(head.path) == "/exact";
    const bool cut = head.view(head.path) == "/cut";
    self.post(StreamHead{id, {}, exact ? std::optional<std::uint64_t>(6) : std::nullopt});
    self.post(StreamData{id, "abc", false});
    if (cut) {
      self.post(Cut{id});
      return;
    }
    if (head.view(head.path) == "/twice") {
      return respond(self, std::move(request->envelope), 503, "late");
    }
    self.post(StreamData{id, "def", false});
    self.post(StreamEnd{id});
  });
  TestClient client(server.port());
  SUBCASE("chunked, and the next request behind it") {
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /exact HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string first = client.read_until("0\r\n\r\n");
    CHECK(first.find("Transfer-Encoding: chunked") != std::string::npos);
    CHECK(body_after_head(first) == "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n");
    CHECK(client.read_until("abcdef").find("Content-Length: 6") != std::string::npos);
  }
  SUBCASE("to HTTP/1.0, until the connection ends") {
    client.send("GET / HTTP/1.0\r\n\r\n");
    CHECK(body_after_head(client.read_all()) == "abcdef");
  }
  SUBCASE("HEAD has none of it") {
    client.send("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    CHECK(body_after_head(client.read_all()).empty());
  }
  SUBCASE("one that breaks off has no end") {
    client.send("GET /cut HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_all().find("0\r\n\r\n") == std::string::npos);
  }
  SUBCASE("one that gets an answer on top breaks off") {
    client.send("GET /twice HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string all = client.read_all();
    CHECK(all.find("503") == std::string::npos);
    CHECK(all.find("0\r\n\r\n") == std::string::npos);
  }
}

TEST_CASE("a client that vanishes is reported, once") {
  std::atomic<int> abandoned{0};
  std::atomic<bool> got{false};
  {
    TestServer server([&](Server&, Event&& event) {
      if (std::holds_alternative<RequestEvent>(event)) got = true;
      if (std::holds_alternative<AbandonedEvent>(event)) ++abandoned;
    });
    TestClient client(server.port());
    client.send(kGetRequest);
    while (!got) std::this_thread::yield();
    client.vanish();
    while (abandoned == 0) std::this_thread::yield();
    CHECK(server.server().counters().in_flight.get() == 0);
  }
  CHECK(abandoned == 1);
}

TEST_CASE("stopping with requests under way") {
  std::vector<EnvelopePtr> waiting;
  std::atomic<int> count{0};
  TestServer server([&](Server&, Event&& event) {
    if (auto* request = std::get_if<RequestEvent>(&event)) {
      waiting.push_back(std::move(request->envelope));
      ++count;
    }
  });
  TestClient client(server.port());
  client.send(kGetRequest);
  while (count == 0) std::this_thread::yield();
  SUBCASE("at once: they are cut") {
    server.stop();
    CHECK(client.read_all().empty());
  }
  SUBCASE("with grace: they finish") {
    std::thread answer([&] { respond(server.server(), std::move(waiting[0]), 200, "late"); });
    server.stop(10'000);
    answer.join();
    const std::string all = client.read_all();
    // The answer may have been posted before or after the stop began; either way it is whole.
    CHECK(body_after_head(all) == "late");
  }
  CHECK_FALSE(server.server().running());
  CHECK_FALSE(server.server().post(Stop{0}));
}

TEST_CASE("many starts and stops, under load") {
  for (int i = 0; i < 30; ++i) {
    TestServer server(echo);
    std::vector<std::thread> clients;
    std::atomic<bool> going{true};
    for (int c = 0; c < 3; ++c) {
      auto client = std::make_unique<TestClient>(server.port());
      clients.emplace_back([&going, client = std::move(client)] {
        do {
          client->send(kGetRequest);
        } while (!client->read_until("GET /a ").empty() && going);
      });
    }
    while (server.server().counters().requests.get() < 20) std::this_thread::yield();
    server.stop(i % 2 == 0 ? 0 : 1000);
    going = false;
    for (std::thread& client : clients) client.join();
  }
}

TEST_CASE("a WebSocket from the handshake to the end") {
  Settings settings(usual_limits());
  settings.abilities.websocket = true;
  std::atomic<int> closed{0};
  TestServer server(
      [&](Server& self, Event&& event) {
        if (auto* open = std::get_if<WsOpenEvent>(&event)) {
          self.post(WsSubscribe{open->request->id.connection, "news", true});
        } else if (auto* message = std::get_if<WsMessageEvent>(&event)) {
          self.post(WsSend{message->id, message->text, true, message->data.joined()});
          self.post(Publish{"news", std::make_shared<Publication>(true, "to all", true)});
        } else if (auto* last = std::get_if<WsLastEvent>(&event)) {
          self.post(WsConclude{last->id});
        } else if (std::holds_alternative<WsCloseEvent>(event)) {
          ++closed;
        }
      },
      settings);
  TestClient client(server.port());
  client.send(
      "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n");
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.starts_with("HTTP/1.1 101 "));
  CHECK(head.find("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") != std::string::npos);
  const std::string mask(4, '\0');
  client.send("\x81\x82" + mask + "hi");
  CHECK(client.read_exactly(4) == "\x81\x02hi");
  CHECK(client.read_exactly(8) == "\x81\x06to all");
  SUBCASE("the client closes") {
    client.send("\x88\x82" + mask + "\x03\xe8");
    CHECK(client.read_exactly(4) == "\x88\x02\x03\xe8");
    while (closed == 0) std::this_thread::yield();
  }
  SUBCASE("the client vanishes") {
    client.vanish();
    while (closed == 0) std::this_thread::yield();
  }
  SUBCASE("the server stops") {
    std::thread stopping([&] { server.stop(5'000); });
    CHECK(client.read_exactly(4).substr(2) == "\x03\xe9");  // 1001
    client.vanish();
    stopping.join();
    while (closed == 0) std::this_thread::yield();
  }
  CHECK(closed == 1);
}

}  // namespace httpuv::server
