#include <doctest/doctest.h>
#include <uv.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "../../uninterrupted.h"
#include "../harness.h"
#include "base/charge.h"
#include "net/tls/tls_stream.h"
#include "tls_client.h"

namespace httpuv::net::tls {
namespace {

using net::test::Client;
using net::test::kMega;
using net::test::ListenerHarness;
using net::test::LoopHarness;
using net::test::pattern;
using net::test::TempFile;
using test::ClientSession;
using test::Files;

// One connection of a server, which records what happens: E(of) X(error) D(rained) C(losed).
struct Handler final : StreamHandler {
  std::unique_ptr<TlsStream> stream;
  std::function<void(Handler&, std::string_view)> data_hook;
  std::mutex mutex;
  std::condition_variable changed;
  std::string received;
  std::string events;
  int error = 0;

  void record(char event) {
    const std::lock_guard lock(mutex);
    events += event;
    changed.notify_all();
  }
  void on_data(std::string_view data) override {
    {
      const std::lock_guard lock(mutex);
      received += data;
    }
    if (data_hook) data_hook(*this, data);
    const std::lock_guard lock(mutex);  // last: a test may wait for what the hook does
    changed.notify_all();
  }
  void on_eof() override { record('E'); }
  void on_error(int code) noexcept override {
    error = code;
    stream->close();
    record('X');
  }
  void on_drained() override { record('D'); }
  void on_closed() noexcept override {
    stream.reset();
    record('C');
  }
  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, net::test::kPatience, condition);
  }
  bool saw(char event) {
    const std::lock_guard lock(mutex);
    return events.find(event) != std::string::npos;
  }
  bool wait_for(char event) {
    return wait([&] { return events.find(event) != std::string::npos; });
  }
};

struct Server final : Observer {
  explicit Server(std::int64_t timeout_ms = 10'000) {
    const OpenSsl& api = *test::system_openssl();
    hosts = std::make_shared<const Hosts>(test::identity(api, files), std::vector<Hosts::Entry>{});
    loop.call([&] {  // it asks the loop for the time
      endpoint = std::make_unique<Endpoint>(loop.loop(), hosts, timeout_ms, *this, *ledger, kKind);
    });
    listener = std::make_unique<ListenerHarness>(
        loop, [this](Accepted&& accepted) { accept(std::move(accepted)); });
  }
  ~Server() override {
    loop.call([this] {
      if (handler.stream) handler.stream->close();
    });
    if (opened) CHECK(handler.wait_for('C'));
    listener.reset();
  }
  void accept(Accepted&& accepted) {
    opened = true;
    const int size = net::test::kSmallBuffer;
    setsockopt(accepted.fd(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    handler.stream = std::make_unique<TlsStream>(*endpoint);
    handler.stream->charge_to(*ledger, kContent);
    CHECK(handler.stream->open(std::move(accepted), &handler) == 0);
    if (prepare) prepare(handler);
    handler.stream->start_reading();
  }
  void call(std::function<void()> task) { loop.call(std::move(task)); }

  void handshake_done(const TlsInfo&) override { ++done; }
  void handshake_failed(const Peer&, std::string_view why) override { reason = why; }
  void certificate_renewed(const std::string&) override {}
  void certificate_failed(const Fault&) override {}

  static constexpr base::Ledger::Kind kKind = 0;
  static constexpr base::Ledger::Kind kContent = 1;
  Files files;
  std::shared_ptr<base::Ledger> ledger = std::make_shared<base::Ledger>();
  std::shared_ptr<const Hosts> hosts;
  LoopHarness loop;
  std::unique_ptr<Endpoint> endpoint;
  Handler handler;
  std::function<void(Handler&)> prepare;
  std::unique_ptr<ListenerHarness> listener;
  std::atomic<bool> opened{false};
  std::atomic<int> done{0};
  std::string reason;
};

// A blocking client with TLS.
struct TlsClient {
  explicit TlsClient(Server& server)
      : wire(server.listener->port(), AF_INET, net::test::kSmallBuffer),
        session(*OpenSsl::loaded(), "localhost") {}

  void flush() {
    const std::string bytes = session.take();
    if (!bytes.empty()) wire.send(bytes);
  }
  // At least one byte from the server; false at its end.
  bool more() {
    char piece[16'384];
    const ssize_t count = httpuv::test::receive_some(wire.fd(), piece, sizeof piece);
    if (count <= 0) return false;
    session.feed({piece, static_cast<std::size_t>(count)});
    return true;
  }
  void handshake() {
    while (!session.handshake()) {
      flush();
      REQUIRE(more());
    }
    flush();
  }
  void send(std::string_view content) {
    session.write(content);
    flush();
  }
  std::string receive(std::size_t size) {
    std::string result = session.read();
    while (result.size() < size && more()) result += session.read();
    return result;
  }
  // The rest; *ended: close_notify came behind it.
  std::string receive_all(bool* ended) {
    std::string result = session.read(ended);
    while (more()) result += session.read(ended);
    return result;
  }

  Client wire;
  ClientSession session;
};

#define NEEDS_OPENSSL \
  if (test::system_openssl() == nullptr) return

TEST_CASE("content of awkward sizes, both ways, copied, moved, shared and from files") {
  NEEDS_OPENSSL;
  Server server;
  server.prepare = [](Handler& handler) {
    handler.data_hook = [](Handler& self, std::string_view data) {
      CHECK(self.stream->write(data) == 0);
    };
  };
  TlsClient client(server);
  client.handshake();
  for (const std::size_t size : {std::size_t{1}, std::size_t{16'384}, std::size_t{16'385},
                                 std::size_t{65'536}, std::size_t{300'001}}) {
    CAPTURE(size);
    const std::string content = pattern(size);
    std::string back;
    for (std::size_t sent = 0; sent < size; sent += 100'000) {
      const std::string_view piece = std::string_view(content).substr(sent, 100'000);
      client.send(piece);
      back += client.receive(piece.size());
    }
    CHECK((back == content));
  }
  server.handler.data_hook = nullptr;
  const std::string content = pattern(3 * kMega + 7);
  const auto shared = std::make_shared<const std::string>(content);
  const TempFile file(content);
  server.call([&] {
    TlsStream& stream = *server.handler.stream;
    CHECK(stream.write("a", "b") == 0);
    CHECK(stream.write_owned("head", std::string(content)) == 0);
    CHECK(stream.write_shared("head", *shared, shared) == 0);
    CHECK(stream.send_file("head", file.ref(), 5, content.size() - 5) == 0);
    CHECK(stream.send_file("tail", file.ref(), 0, 0) == 0);
    CHECK(stream.write("end") == 0);
    CHECK(stream.busy());
  });
  const std::string expected =
      "abhead" + content + "head" + content + "head" + content.substr(5) + "tailend";
  CHECK((client.receive(expected.size()) == expected));
  CHECK(server.handler.wait_for('D'));
  server.call([&] {
    CHECK_FALSE(server.handler.stream->busy());
    CHECK(server.handler.stream->queued() == 0);
    CHECK(server.ledger->used(Server::kContent) == 0);
  });
  CHECK(server.done == 1);
}

TEST_CASE("a file that is not in memory is read on a disk thread") {
  NEEDS_OPENSSL;
  Server server;
  const std::string content = pattern(kMega);
  const TempFile file(content);
  TlsClient client(server);
  client.handshake();
  if (!file.evict()) return;
  client.send("x");
  CHECK(server.handler.wait([&] { return !server.handler.received.empty(); }));
  server.call(
      [&] { CHECK(server.handler.stream->send_file("head", file.ref(), 0, content.size()) == 0); });
  CHECK((client.receive(4 + content.size()) == "head" + content));
}

TEST_CASE("a peer that does not read: what waits is not sealed, and is charged") {
  NEEDS_OPENSSL;
  Server server;
  TlsClient client(server);
  client.handshake();
  client.send("x");
  CHECK(server.handler.wait([&] { return !server.handler.received.empty(); }));
  const auto body = std::make_shared<const std::string>(64 * kMega, 'x');
  server.call([&] {
    CHECK(server.handler.stream->write_shared("head", *body, body) == 0);
    const std::size_t queued = server.handler.stream->queued();
    CHECK(queued > 32 * kMega);
    // The body is its owner's; of what was sealed there is one piece.
    CHECK(server.ledger->used(Server::kContent) < 256 * 1024);
    CHECK(server.ledger->used(Server::kContent) > 0);
    CHECK(server.ledger->used(Server::kKind) < TlsStream::kCost + 64);  // an empty string has some
  });
  CHECK((client.receive(4 + body->size()) == "head" + *body));
  CHECK(server.handler.wait_for('D'));
}

TEST_CASE("reading pauses in the middle of what has come, and goes on") {
  NEEDS_OPENSSL;
  Server server;
  std::atomic<int> pauses{0};
  server.prepare = [&](Handler& handler) {
    handler.data_hook = [&](Handler& self, std::string_view) {
      self.stream->stop_reading();
      ++pauses;
    };
  };
  TlsClient client(server);
  client.handshake();
  const std::string content = pattern(500'000);
  client.send(content);
  client.session.end();
  client.flush();
  Handler& handler = server.handler;
  const auto all_came = [&] {
    const std::lock_guard lock(handler.mutex);
    return handler.received.size() >= content.size();
  };
  for (int i = 1; !all_came(); ++i) {
    CHECK(handler.wait([&] { return pauses >= i; }));
    server.call([&] {
      CHECK_FALSE(handler.stream->reading());
      handler.stream->start_reading();
    });
    if (!handler.wait([&] { return pauses > i || handler.received.size() == content.size(); }))
      break;
  }
  CHECK(pauses > 1);
  CHECK((handler.received == content));
  server.call([&] { handler.stream->start_reading(); });
  CHECK(handler.wait_for('E'));
  CHECK(handler.events == "E");
  server.call([&] {
    CHECK(handler.stream->ended());
    CHECK(handler.stream->write("answered all the same") == 0);
    handler.stream->close();
  });
  bool ended = false;
  CHECK(client.receive_all(&ended) == "answered all the same");
  CHECK(ended);
}

TEST_CASE("an end is told only where all was sent") {
  NEEDS_OPENSSL;
  for (const int way : {0, 1, 2}) {
    CAPTURE(way);
    Server server;
    TlsClient client(server);
    client.handshake();
    client.send("x");
    CHECK(server.handler.wait([&] { return !server.handler.received.empty(); }));
    server.call([&] {
      TlsStream& stream = *server.handler.stream;
      if (way == 0) {
        CHECK(stream.write("all") == 0);
        stream.shutdown();
        CHECK(stream.write("more") == UV_EPIPE);
      } else if (way == 1) {
        CHECK(stream.write_owned("", std::string(16 * kMega, 'x')) == 0);
        stream.close();
      } else {
        CHECK(stream.write("some") == 0);
        stream.reset();
      }
    });
    bool ended = false;
    const std::string all = client.receive_all(&ended);
    CHECK(ended == (way == 0));
    if (way == 0) CHECK(all == "all");
  }
}

TEST_CASE("a FIN without close_notify is a broken connection") {
  NEEDS_OPENSSL;
  Server server;
  TlsClient client(server);
  client.handshake();
  client.send("part");
  client.wire.shut_down();
  CHECK(server.handler.wait_for('C'));
  CHECK(server.handler.events == "XC");
  CHECK(server.handler.error == UV_ECONNRESET);
  CHECK(server.handler.received == "part");
}

TEST_CASE("what is written before the handshake is done follows it") {
  NEEDS_OPENSSL;
  Server server;
  server.prepare = [](Handler& handler) {
    CHECK(handler.stream->write("early") == 0);
    CHECK(handler.stream->busy());
    CHECK(handler.stream->tls() == nullptr);
    handler.stream->shutdown();
  };
  TlsClient client(server);
  client.handshake();
  bool ended = false;
  CHECK(client.receive_all(&ended) == "early");
  CHECK(ended);
  CHECK(server.handler.wait_for('D'));
  server.call([&] { CHECK(server.handler.stream->tls()->version == "TLSv1.3"); });
}

TEST_CASE("handshakes that do not come to an end") {
  NEEDS_OPENSSL;
  SUBCASE("too slow") {
    Server server(200);
    TlsClient client(server);
    client.session.handshake();
    client.wire.send(client.session.take().substr(0, 100));
    CHECK(client.wire.receive_all().empty());
    CHECK(server.handler.wait_for('C'));
    CHECK(server.reason == "it took too long");
    CHECK(server.handler.error == UV_ETIMEDOUT);
  }
  SUBCASE("the client leaves") {
    Server server;
    TlsClient client(server);
    client.session.handshake();
    client.wire.send(client.session.take().substr(0, 5));
    client.wire.shut_down();
    CHECK(server.handler.wait_for('C'));
    CHECK(server.reason == "it left");
  }
  SUBCASE("plain HTTP") {
    Server server;
    Client client(server.listener->port(), AF_INET);
    client.send("GET / HTTP/1.1\r\n\r\n");
    CHECK(client.receive_all().starts_with("HTTP/1.1 400 "));
    client.close();
    CHECK(server.handler.wait_for('C'));
    CHECK(server.reason == "it speaks plain HTTP");
  }
  SUBCASE("a first message that is too long") {
    Server server;
    Client client(server.listener->port(), AF_INET);
    client.send(std::string_view("\x16\x03\x01\x40\x00\x01\x01\x86\xa0", 9));
    CHECK(client.receive_all().empty());
    client.close();
    CHECK(server.handler.wait_for('C'));
    CHECK(server.reason == "its first message is too long");
  }
}

TEST_CASE("a peer that has keys changed all the time and does not read is cut off") {
  NEEDS_OPENSSL;
  Server server;
  TlsClient client(server);
  client.handshake();
  // It never reads what it is told: that all keys are changed, as it has asked for.
  for (int round = 0; round < 20 && !server.handler.saw('X'); ++round) {
    for (int i = 0; i < 2000; ++i) client.session.update_keys();
    const std::string flood = client.session.take();
    std::size_t sent = 0;
    while (sent < flood.size()) {
      const ssize_t count =
          httpuv::test::send_some(client.wire.fd(), flood.data() + sent, flood.size() - sent);
      if (count < 0) break;
      sent += static_cast<std::size_t>(count);
    }
  }
  CHECK(server.handler.wait_for('C'));
  CHECK(server.handler.error == UV_EPROTO);
}

}  // namespace
}  // namespace httpuv::net::tls
