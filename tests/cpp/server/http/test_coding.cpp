// Answers that the server codes, whole and in pieces, and streams that are not to fall silent.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

#include "../../limits.h"
#include "../application.h"
#include "coding/gzip.h"

namespace httpuv::server {
namespace {

const std::string kPlain = [] {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "line " + std::to_string(i * i) + "\n";
  return text;
}();

std::string get(const std::string& path, const std::string& accept = "gzip") {
  return "GET " + path + " HTTP/1.1\r\nHost: x\r\nAccept-Encoding: " + accept + "\r\n\r\n";
}

// "/whole" in one, "/pieces" in pieces of the size that the query names.
void serve(Server& self, Event&& event) {
  auto* request = std::get_if<RequestEvent>(&event);
  if (request == nullptr) return;
  const ExchangeId id = request->envelope->id;
  const http::RequestHead& head = request->envelope->request;
  const std::string path(head.view(head.path));
  if (path != "/pieces") {
    EnvelopePtr envelope = std::move(request->envelope);
    envelope->head.add("Content-Type", path == "/picture" ? "image/png" : "text/plain");
    envelope->head.add("ETag", "\"1\"");
    return respond(self, std::move(envelope), 200, path == "/short" ? "short" : kPlain);
  }
  const std::size_t size = std::stoul(std::string(head.view(head.query)));
  http::ResponseHead answer;
  answer.add("Content-Type", "text/plain");
  self.post(StreamHead{id, std::move(answer), kPlain.size(), {}});
  for (std::size_t at = 0; at < kPlain.size(); at += size) {
    self.post(StreamData{id, kPlain.substr(at, size), at % 3 == 0});
  }
  self.post(StreamEnd{id});
}

// What `size` bytes at a time are coded as, in the chunks of an answer: its body without them.
std::string unchunked(std::string_view body) {
  std::string plain;
  while (true) {
    const std::size_t line = body.find("\r\n");
    REQUIRE(line != std::string_view::npos);
    const std::size_t size = std::stoul(std::string(body.substr(0, line)), nullptr, 16);
    if (size == 0) return plain;
    plain.append(body.substr(line + 2, size));
    body.remove_prefix(line + 2 + size + 2);
  }
}

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("whole answers are coded for clients that accept it") {
  TestServer server(serve);
  TestClient client(server.port());
  const std::string coded = *coding::gzip(kPlain);
  for (int i = 0; i < 2; ++i) {
    client.send(get("/whole"));
    const std::string head = client.read_until("\r\n\r\n");
    CHECK(head.find("Content-Encoding: gzip\r\n") != std::string::npos);
    CHECK(head.find("Vary: Accept-Encoding\r\n") != std::string::npos);
    CHECK(head.find("ETag: W/\"1\"\r\n") != std::string::npos);
    CHECK(head.find("Content-Length: " + std::to_string(coded.size())) != std::string::npos);
    CHECK(client.read_exactly(coded.size()) == coded);
  }
  client.send(get("/whole", "br, gzip;q=0"));
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.find("Content-Encoding") == std::string::npos);
  CHECK(head.find("Vary: Accept-Encoding\r\n") != std::string::npos);
  CHECK(head.find("ETag: \"1\"\r\n") != std::string::npos);
  CHECK(client.read_exactly(kPlain.size()) == kPlain);
  for (const char* const path : {"/short", "/picture"}) {
    client.send(get(path));
    const std::string plain = client.read_until("\r\n\r\n");
    CHECK(plain.find("Content-Encoding") == std::string::npos);
    CHECK(plain.find("Vary") == std::string::npos);
    client.read_exactly(path == std::string("/short") ? 5 : kPlain.size());
  }
}

TEST_CASE("it may be switched off") {
  Settings settings(usual_limits());
  settings.gzip = false;
  TestServer server(serve, settings);
  TestClient client(server.port());
  client.send(get("/whole"));
  const std::string head = client.read_until("\r\n\r\n");
  CHECK(head.find("Content-Encoding") == std::string::npos);
  CHECK(head.find("Vary") == std::string::npos);
}

TEST_CASE("answers that are coded meanwhile keep their order") {
  TestServer server(serve);
  TestClient client(server.port());
  client.send(get("/short") + get("/whole") + get("/short") + get("/pieces?5000") + get("/whole") +
              get("/short"));
  const std::size_t size = coding::gzip(kPlain)->size();
  CHECK(client.read_until("short").ends_with("short"));
  client.read_until("\r\n\r\n");
  CHECK(client.read_exactly(size) == *coding::gzip(kPlain));
  CHECK(client.read_until("short").starts_with("HTTP/1.1 200 OK"));
  client.read_until("\r\n\r\n");
  client.read_until("\r\n0\r\n\r\n");
  client.read_until("\r\n\r\n");
  CHECK(client.read_exactly(size) == *coding::gzip(kPlain));
  CHECK(client.read_until("short").starts_with("HTTP/1.1 200 OK"));
}

TEST_CASE("streams are coded piece by piece, here or on the pool") {
  TestServer server(serve);
  for (const std::size_t size : {1'000UL, 8'192UL, 9'000UL, 1'000'000UL}) {
    TestClient client(server.port());
    client.send(get("/pieces?" + std::to_string(size)));
    const std::string answer = client.read_until("\r\n0\r\n\r\n");
    const std::string head = answer.substr(0, answer.find("\r\n\r\n") + 2);
    CHECK(head.find("Content-Encoding: gzip\r\n") != std::string::npos);
    CHECK(head.find("Content-Length") == std::string::npos);
    const std::string coded = unchunked(body_of(answer));
    CHECK(coded.size() < kPlain.size());
    // Its CRC and length stand at the end (RFC 1952 section 2.3.1): every byte is in it.
    CHECK(coded.substr(coded.size() - 8) ==
          coding::gzip(kPlain)->substr(coding::gzip(kPlain)->size() - 8));
  }
}

TEST_CASE("clients that leave while the pool works") {
  TestServer server(serve);
  for (int i = 0; i < 50; ++i) {
    TestClient client(server.port());
    client.send(get("/whole") + get("/pieces?20000") + get("/pieces?3000"));
    if (i % 2 == 0) client.read_until("Content-Encoding");
    client.vanish();
  }
  TestClient last(server.port());
  last.send(get("/short"));
  last.read_until("short");
  server.stop(5'000);
  CHECK(server.server().counters().connections.get() == 0);
}

TEST_CASE("a stream with a filler does not fall silent, and says nothing else") {
  ExchangeId id{};
  TestServer server([&](Server& self, Event&& event) {
    auto* request = std::get_if<RequestEvent>(&event);
    if (request == nullptr) return;
    id = request->envelope->id;
    self.post(StreamHead{id, {}, {}, std::make_unique<Filler>(Filler{":\n\n", 60})});
  });
  TestClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until("\r\n\r\n");
  CHECK(client.read_until("3\r\n:\n\n\r\n") == "3\r\n:\n\n\r\n");
  CHECK(client.read_until("3\r\n:\n\n\r\n") == "3\r\n:\n\n\r\n");
  server.server().post(StreamData{id, "piece", false});
  client.read_until("5\r\npiece\r\n");
  CHECK(client.read_until(":\n\n\r\n") == "3\r\n:\n\n\r\n");
  server.server().post(StreamEnd{id});
  CHECK(client.read_until("0\r\n\r\n") == "0\r\n\r\n");
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  client.read_until(":\n\n");
  SUBCASE("the client leaves") {
    client.vanish();
  }
  SUBCASE("the server stops") {}
}

}  // namespace httpuv::server
