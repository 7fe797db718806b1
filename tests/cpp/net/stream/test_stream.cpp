#include "net/stream/stream.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>

#include "../harness.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::echo;
using test::kMega;
using test::kSmallBuffer;
using test::LoopHarness;
using test::Pair;
using test::pattern;
using test::ServerHarness;
using test::Session;
using test::shrink;

TEST_CASE("an idle stream is small") {
  CHECK(sizeof(Stream) <= 400);
}

TEST_CASE("echo: whole, byte by byte, in random pieces") {
  ServerHarness server(echo);
  const std::string bytes = pattern(20'000);
  std::mt19937 random(3);
  for (int round = 0; round < 6; ++round) {
    Client client(server);
    std::string_view rest = bytes;
    if (round == 1) rest = rest.substr(0, 500);
    const std::string expected(rest);
    while (!rest.empty()) {
      const std::size_t size = round == 0   ? rest.size()
                               : round == 1 ? 1
                                            : std::min<std::size_t>(rest.size(), random() % 3000);
      client.send(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    CHECK(client.receive(expected.size()) == expected);
  }
}

TEST_CASE("echo through a socket pair") {
  LoopHarness harness;
  Pair pair(harness);
  echo(pair.session);
  pair.client.send("over a pair");
  CHECK(pair.client.receive(11) == "over a pair");
  harness.call([&] {
    CHECK(pair.session.stream.peer().family == AF_UNIX);
    pair.session.stream.reset();  // no RST on a Unix socket: an end
  });
  CHECK(pair.client.receive_all().empty());
}

TEST_CASE("what does not fit is kept, in order, whatever it was written with") {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    LoopHarness harness;
    Pair pair(harness);
    Session& session = pair.session;
    std::string expected;
    std::vector<std::weak_ptr<const std::string>> owners;
    harness.call([&] {
      Stream& stream = session.stream;
      shrink(stream, 4096);  // nearly nothing
      std::mt19937 random(seed);
      for (int i = 0; i < 200; ++i) {
        std::string head = pattern(random() % 200, seed + static_cast<std::uint32_t>(i));
        if (random() % 3 == 0) head.clear();
        const std::size_t size = random() % 4 == 0 ? random() % 50'000 : random() % 2000;
        std::string body = pattern(size, 77 + static_cast<std::uint32_t>(i));
        expected += head + body;
        switch (random() % 3) {
          case 0:
            CHECK(stream.write(head, body) == 0);
            break;
          case 1:
            CHECK(stream.write_owned(head, std::move(body)) == 0);
            break;
          default: {
            const auto owner = std::make_shared<const std::string>(std::move(body));
            owners.push_back(owner);
            CHECK(stream.write_shared(head, *owner, owner) == 0);
          }
        }
      }
      CHECK(stream.busy());
      CHECK(stream.queued() > 0);
      CHECK(stream.queued() + stream.bytes_written() == expected.size());
    });
    CHECK((pair.client.receive(expected.size()) == expected));
    session.wait_for_event('D');
    harness.call([&] {
      CHECK_FALSE(session.stream.busy());
      CHECK(session.stream.queued() == 0);
      CHECK(session.stream.bytes_written() == expected.size());
    });
    for (const auto& owner : owners) CHECK(owner.expired());
    CHECK(session.events() == "D");
  }
}

TEST_CASE("many small pieces to a client that does not read take little more than their bytes") {
  LoopHarness harness;
  Pair pair(harness);
  Session& session = pair.session;
  const std::size_t count = 20'000;
  harness.call([&] {
    shrink(session.stream, 4096);
    const auto shared = std::make_shared<const std::string>(32, 'm');
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(session.stream.write_shared({}, *shared, shared) == 0);
    }
    CHECK(shared.use_count() == 1);  // copied together, not kept one by one
  });
  CHECK((pair.client.receive(count * 32) == std::string(count * 32, 'm')));
}

TEST_CASE("a body is moved only if it has to be kept") {
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  server.call([&] {
    std::string small = "small";
    CHECK(session.stream.write_owned("head ", std::move(small)) == 0);
    CHECK(small == "small");  // NOLINT(bugprone-use-after-move): promised
    CHECK_FALSE(session.stream.busy());
    CHECK(session.stream.write({}) == 0);
    CHECK(session.stream.write_owned({}, {}) == 0);
    CHECK(session.stream.write_shared({}, {}, nullptr) == 0);
    CHECK_FALSE(session.stream.busy());
    shrink(session.stream);
    std::string big = pattern(8 * kMega);
    CHECK(session.stream.write_owned("", std::move(big)) == 0);
    CHECK(big.empty());  // NOLINT(bugprone-use-after-move): promised
    CHECK(session.stream.busy());
  });
  CHECK(client.receive(10) == "head small");
  CHECK((client.receive(8 * kMega) == pattern(8 * kMega)));
}

TEST_CASE("what is held of a shared body is charged while it waits, and no longer") {
  base::Ledger ledger;
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  auto body = std::make_shared<const std::string>(pattern(8 * kMega));
  const std::weak_ptr<const std::string> alive = body;
  server.call([&, body = std::move(body)]() mutable {
    session.stream.charge_to(ledger, 1);
    shrink(session.stream);
    CHECK(session.stream.write_shared("small ", "body", body, 4) == 0);
    CHECK(ledger.used(1) == 0);  // the socket has taken all
    CHECK(session.stream.write_shared("head ", *body, body, body->size()) == 0);
    CHECK(session.stream.busy());
    CHECK(ledger.used(1) >= body->size());
    CHECK(ledger.used(1) < body->size() + 4096);
    body.reset();
  });
  CHECK(client.receive(15) == "small bodyhead ");
  CHECK((client.receive(8 * kMega) == pattern(8 * kMega)));
  session.wait_for_event('D');
  server.call([&] { CHECK(ledger.used(1) == 0); });
  CHECK(alive.expired());
}

TEST_CASE("progress is visible while one big piece is on its way") {
  ServerHarness server;
  Client client(server.port(), AF_INET, kSmallBuffer);
  Session& session = server.session();
  const std::size_t size = 8 * kMega;
  server.call([&] { CHECK(session.stream.write(pattern(size)) == 0); });
  std::uint64_t last = 0;
  for (int i = 0; i < 7; ++i) {
    client.receive(kMega);
    server.call([&] {
      const std::uint64_t now = session.stream.bytes_written();
      CHECK(now >= last);
      CHECK(now >= static_cast<std::uint64_t>(i + 1) * kMega);
      CHECK(now + session.stream.queued() == size);
      last = now;
    });
  }
  client.receive(kMega);
  session.wait_for_event('D');
}

TEST_CASE("a half-closed client is answered") {
  ServerHarness server([](Session& session) {
    session.eof_hook = [](Session& self) {
      CHECK_FALSE(self.stream.reading());
      self.stream.start_reading();  // nothing more will come
      CHECK_FALSE(self.stream.reading());
      CHECK(self.stream.write("you said ", self.received()) == 0);
      self.stream.shutdown();
      CHECK(self.stream.write("too late") == UV_EPIPE);
      CHECK(self.stream.send_file("", {}, 0, 1) == UV_EPIPE);
    };
  });
  Client client(server);
  client.send("something");
  client.shut_down();
  CHECK(client.receive_all() == "you said something");
  CHECK(server.session().events() == "E");
}

TEST_CASE("shutdown waits for what is queued, and reading goes on") {
  ServerHarness server;
  Client client(server.port(), AF_INET, kSmallBuffer);
  Session& session = server.session();
  server.call([&] {
    shrink(session.stream);
    CHECK(session.stream.write(pattern(2 * kMega)) == 0);
    session.stream.shutdown();
    session.stream.shutdown();
    CHECK(session.stream.busy());
  });
  CHECK((client.receive_all() == pattern(2 * kMega)));
  session.wait_for_event('D');  // the client may have all of it before the loop knows
  CHECK(session.events() == "D");
  client.send("still heard");
  client.shut_down();
  session.wait_for_event('E');
  CHECK(session.received() == "still heard");
}

TEST_CASE("a stream that does not read leaves bytes with the kernel") {
  ServerHarness server(echo);
  Client client(server);
  Session& session = server.session();
  server.call([&] {
    session.stream.stop_reading();
    session.stream.stop_reading();
    CHECK_FALSE(session.stream.reading());
  });
  client.send("later");
  pollfd waiting{client.fd(), POLLIN, 0};
  CHECK(::poll(&waiting, 1, 50) == 0);
  CHECK(session.received().empty());
  server.call([&] {
    session.stream.start_reading();
    session.stream.start_reading();
    CHECK(session.stream.reading());
  });
  CHECK(client.receive(5) == "later");
}

}  // namespace
}  // namespace httpuv::net
