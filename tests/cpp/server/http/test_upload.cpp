// Bodies that the application gets piece by piece: what it is told and when, what waits for what,
// and what happens when either side ends early.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "../../limits.h"
#include "../application.h"

namespace httpuv::server {
namespace {

constexpr std::size_t kMemory = 10'000;

Settings streaming() {
  Settings settings(usual_limits());
  settings.abilities.stream_body = true;
  settings.limits.body_memory_bytes = kMemory;
  return settings;
}

std::string put(std::size_t size, const std::string& more = {}) {
  return "PUT / HTTP/1.1\r\nHost: x\r\n" + more + "Content-Length: " + std::to_string(size) +
         "\r\n\r\n";
}

// An application that lets every body come and uses it at once, or not.
struct Reader {
  bool resumes = true;
  bool uses = true;
  std::atomic<std::size_t> bytes{0};
  std::atomic<int> heads{0};
  std::atomic<int> ends{0};
  std::atomic<int> lost{0};
  ExchangeId id{};

  void operator()(Server& self, Event&& event) {
    if (auto* request = std::get_if<RequestEvent>(&event)) {
      id = request->envelope->id;
      if (!request->envelope->headers_only) {
        return respond(self, std::move(request->envelope), 200, "whole");
      }
      ++heads;
      if (resumes) self.post(Continue{id});
    } else if (auto* body = std::get_if<BodyEvent>(&event)) {
      CHECK(body->id == id);
      bytes += body->bytes.size();
      if (uses) self.post(BodyConsumed{id, body->bytes.size()});
      if (body->last) {
        ++ends;
        auto envelope = std::make_unique<Envelope>();
        envelope->id = id;
        respond(self, std::move(envelope), 200, "got " + std::to_string(bytes) + ".");
      }
    } else if (std::holds_alternative<AbandonedEvent>(event)) {
      ++lost;
    }
  }
};

TestServer::Handler handler(Reader& reader) {
  return [&reader](Server& self, Event&& event) { reader(self, std::move(event)); };
}

}  // namespace

TEST_CASE("a body comes in pieces, and the connection is kept") {
  Reader reader;
  TestServer server(handler(reader), streaming());
  TestClient client(server.port());
  std::size_t total = 0;
  for (const std::size_t size : {1UL, 9'999UL, 10'000UL, 10'001UL, 3'000'000UL}) {
    total += size;
    client.send(put(size) + std::string(size, 'b'));
    const std::string answer = client.read_until("got " + std::to_string(total) + ".");
    CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(answer.find("Connection:") == std::string::npos);
  }
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.read_until("whole").ends_with("whole"));
  CHECK(reader.ends == 5);
  CHECK(server.server().counters().in_flight.get() == 0);
  CHECK(server.server().budget().used(Held::kBodies) == 0);
}

TEST_CASE("small chunks, and requests behind the body") {
  Reader reader;
  TestServer server(handler(reader), streaming());
  TestClient client(server.port());
  std::string all = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 5'000; ++i) all += "5\r\nhello\r\n";
  client.send(all + "0\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("got 25000.");
  CHECK(client.read_until("whole").ends_with("whole"));
}

TEST_CASE("nothing is read before the application wants it") {
  Reader reader;
  reader.resumes = false;
  TestServer server(handler(reader), streaming());
  TestClient client(server.port());
  client.send(put(5, "Expect: 100-continue\r\n"));
  while (reader.heads == 0) std::this_thread::yield();
  CHECK(reader.bytes == 0);
  server.server().post(Continue{reader.id});
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  client.read_until("got 5.");
}

TEST_CASE("an application that runs behind has its client wait") {
  Reader reader;
  reader.uses = false;
  TestServer server(handler(reader), streaming());
  TestClient client(server.port());
  const std::size_t size = 500'000;
  client.send(put(size) + std::string(size, 'b'));
  while (reader.bytes < kMemory) std::this_thread::yield();
  // One piece may go beyond it: what was in the loop's buffer.
  const std::size_t most = kMemory + 64 * 1024;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(reader.bytes <= most);
  CHECK(server.server().budget().used(Held::kBodies) == reader.bytes);
  reader.uses = true;
  server.server().post(BodyConsumed{reader.id, reader.bytes});
  client.read_until("got 500000.");
}

TEST_CASE("an answer ends the reading") {
  std::atomic<int> pieces{0};
  TestServer server(
      [&](Server& self, Event&& event) {
        if (auto* request = std::get_if<RequestEvent>(&event)) {
          if (!request->envelope->headers_only) {
            return respond(self, std::move(request->envelope), 200, "next");
          }
          if (request->envelope->request.view(request->envelope->request.path) == "/at-once") {
            return respond(self, std::move(request->envelope), 200, "early");
          }
          self.post(Continue{request->envelope->id});
        } else if (auto* body = std::get_if<BodyEvent>(&event)) {
          if (++pieces > 1) return;
          auto envelope = std::make_unique<Envelope>();
          envelope->id = body->id;
          respond(self, std::move(envelope), 500, "early");
        }
      },
      streaming());
  TestClient client(server.port());
  SUBCASE("at once; of a short body the rest is dropped") {
    client.send("PUT /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    CHECK(client.read_until("early").find("Connection:") == std::string::npos);
    client.send("0123456789GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_until("next").ends_with("next"));
    CHECK(pieces == 0);
  }
  SUBCASE("in the middle; of a short body the rest is dropped") {
    client.send(put(10) + "01234");
    CHECK(client.read_until("early").find("Connection:") == std::string::npos);
    client.send("56789GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(client.read_until("next").ends_with("next"));
    CHECK(pieces == 1);
  }
  SUBCASE("in the middle; the rest of a long body ends the connection") {
    client.send(put(10'000'000) + std::string(1000, 'b'));
    const std::string all = client.read_all();
    CHECK(all.find("Connection: close") != std::string::npos);
    CHECK(all.ends_with("early"));
  }
  CHECK(server.server().budget().used(Held::kBodies) == 0);
}

TEST_CASE("an answer may be streamed while the body still comes") {
  TestServer server(
      [](Server& self, Event&& event) {
        if (auto* request = std::get_if<RequestEvent>(&event)) {
          self.post(StreamHead{request->envelope->id, {}, {}, {}});
          self.post(Continue{request->envelope->id});
        } else if (auto* body = std::get_if<BodyEvent>(&event)) {
          self.post(StreamData{body->id, "<" + body->bytes + ">", false});
          self.post(BodyConsumed{body->id, body->bytes.size()});
          if (body->last) self.post(StreamEnd{body->id});
        }
      },
      streaming());
  TestClient client(server.port());
  SUBCASE("to its end") {
    client.send(put(6));
    client.read_until("\r\n\r\n");
    client.send("abc");
    client.read_until("<abc>");
    client.send("def");
    client.read_until("def");
    CHECK(client.read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
  }
  SUBCASE("a body that breaks off cuts it") {
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client.read_until("<abc>");
    client.send("nonsense\r\n");
    const std::string rest = client.read_all();
    CHECK(rest.find("0\r\n\r\n") == std::string::npos);
    CHECK(rest.find("HTTP/1.1") == std::string::npos);
  }
}

TEST_CASE("a client that leaves in the middle of a body is reported") {
  Reader reader;
  TestServer server(handler(reader), streaming());
  {
    TestClient client(server.port());
    client.send(put(1000) + "some");
    while (reader.bytes == 0) std::this_thread::yield();
    SUBCASE("by RST") {
      client.vanish();
    }
    SUBCASE("by FIN") {}
  }
  while (reader.lost == 0) std::this_thread::yield();
  CHECK(reader.ends == 0);
  while (server.server().budget().used(Held::kBodies) != 0) std::this_thread::yield();
}

TEST_CASE("limits hold for bodies in pieces") {
  Reader reader;
  Settings settings = streaming();
  settings.limits.request.max_body_bytes = 8;
  settings.limits.body_timeout = 100;
  TestServer server(handler(reader), settings);
  TestClient client(server.port());
  SUBCASE("too long, said before") {
    client.send(put(9));
    CHECK(client.read_all().starts_with("HTTP/1.1 413 "));
    CHECK(reader.heads == 0);
  }
  SUBCASE("too long, found out") {
    client.send(
        "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld");
    CHECK(client.read_all().starts_with("HTTP/1.1 413 "));
    while (reader.lost == 0) std::this_thread::yield();
  }
  SUBCASE("too slow") {
    client.send(put(8) + "x");
    CHECK(client.read_all().starts_with("HTTP/1.1 408 "));
    while (reader.lost == 0) std::this_thread::yield();
  }
  CHECK(reader.ends == 0);
}

}  // namespace httpuv::server
