#include "net/listen/listener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <cstring>
#include <future>

#include "../../uninterrupted.h"
#include "../harness.h"
#include "net/loop/ticker.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::echo;
using test::ServerHarness;
using test::Session;
using test::TempDir;

TEST_CASE("accepted connections are non-blocking, not inherited, and do not delay") {
  ServerHarness server(echo);
  Client client(server);
  client.send("x");
  CHECK(client.receive(1) == "x");
  Session& session = server.session();
  server.call([&] {
    const int fd = session.stream.fd();
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    int on = 0;
    socklen_t length = sizeof(on);
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0);
    CHECK(on != 0);
    CHECK(server.loop().descriptors().contains(fd));
    CHECK(session.stream.peer().address == "127.0.0.1");
    CHECK(session.stream.peer().port == client.local_port());
    CHECK(session.stream.peer().family == AF_INET);
    CHECK(&session.stream.peer() == &session.stream.peer());
  });
}

TEST_CASE("peers on a dual-stack socket") {
  ServerHarness server(echo, "::");
  const Client four(server.port(), AF_INET);
  Session& session4 = server.session(1);
  const Client six(server.port(), AF_INET6);
  Session& session6 = server.session(2);
  server.call([&] {
    CHECK(session4.stream.peer().address == "127.0.0.1");
    CHECK(session4.stream.peer().family == AF_INET);
    CHECK(session6.stream.peer().address == "::1");
    CHECK(session6.stream.peer().family == AF_INET6);
    CHECK(session6.stream.peer().port == six.local_port());
  });
}

TEST_CASE("a Unix listener") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  ListenSocket socket;
  REQUIRE(bind_unix(path, std::nullopt, &socket) == 0);
  ServerHarness server(std::move(socket), echo);
  Client client(path);
  client.send("hello");
  CHECK(client.receive(5) == "hello");
  Session& session = server.session();
  server.call([&] {
    CHECK(session.stream.peer().address.empty());
    CHECK(session.stream.peer().port == 0);
    CHECK(session.stream.peer().family == AF_UNIX);
    server.stop_listening();
    CHECK(access(path.c_str(), F_OK) != 0);  // gone with the listener, not some time later
  });
  client.send("again");
  CHECK(client.receive(5) == "again");
}

TEST_CASE("a crowd is accepted whole") {
  ServerHarness server(echo);
  std::vector<Client> clients;
  for (int i = 0; i < 300; ++i) clients.emplace_back(server);
  for (Client& client : clients) client.send("ping");
  for (Client& client : clients) CHECK(client.receive(4) == "ping");
  server.session(300);
}

TEST_CASE("a process without standard streams does not lose connections to their numbers") {
  ServerHarness server(echo);
  const Client early(server);  // what libuv opens with the first stream is open before
  server.session(1);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const int input = fcntl(0, F_DUPFD_CLOEXEC, 3);
  REQUIRE(input > 2);
  ::close(0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server.port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(httpuv::test::connected(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
  Client client(socket);
  client.send("x");
  CHECK(client.receive(1) == "x");
  Session& session = server.session(2);
  server.call([&] {
    CHECK(session.stream.fd() > 2);
    session.stream.close();
  });
  CHECK(client.receive_end().empty());
  CHECK(dup2(input, 0) == 0);
  ::close(input);
}

TEST_CASE("a paused listener lets connections wait") {
  ServerHarness server(echo);
  server.call([&] {
    server.listener().pause();
    server.listener().pause();
    CHECK(server.listener().paused());
  });
  Client client(server);
  client.send("x");
  pollfd waiting{client.fd(), POLLIN, 0};
  CHECK(::poll(&waiting, 1, 50) == 0);
  server.call([&] {
    server.listener().resume();
    server.listener().resume();
    CHECK_FALSE(server.listener().paused());
  });
  CHECK(client.receive(1) == "x");
}

TEST_CASE("a listener may be paused or destroyed by the connection it accepts") {
  for (const bool destroy : {false, true}) {
    CAPTURE(destroy);
    std::atomic<ServerHarness*> self = nullptr;
    std::atomic<int> connections = 0;
    ServerHarness server([&](Session& session) {
      echo(session);
      ++connections;
      if (destroy) {
        self.load()->stop_listening();
      } else {
        self.load()->listener().pause();
      }
    });
    self = &server;
    Client client(server);
    client.send("x");
    CHECK(client.receive(1) == "x");
    if (!destroy) {
      const Client waiting(server);
      client.send("y");
      CHECK(client.receive(1) == "y");
      CHECK(connections == 1);
    }
  }
}

TEST_CASE("a connection that is not taken is closed") {
  test::LoopHarness harness;
  const test::ListenerHarness listener(harness, [](Accepted&&) {});
  Client client(listener.port(), AF_INET);
  CHECK(client.receive_all().empty());
}

TEST_CASE("the port is free when the listener is gone") {
  test::LoopHarness harness;
  int port = 0;
  for (int i = 0; i < 100; ++i) {
    std::vector<ListenSocket> sockets;
    REQUIRE(bind_tcp("127.0.0.1", port, &sockets) == 0);
    port = sockets[0].port();
    harness.call([&] {
      int error = 0;
      Listener::open(
          harness.loop(), std::move(sockets[0]), [](Accepted&&) {}, &error);
      CHECK(error == 0);
    });
  }
}

TEST_CASE("without descriptors clients are turned away, the server says so once and goes on") {
  ServerHarness server(echo);
  std::atomic<int> reports = 0;
  std::atomic<int> reported = 0;
  server.call([&] {
    server.listener().on_overload = [&](int error) {
      ++reports;
      reported = error;
    };
  });
  Client early(server);
  early.send("x");
  CHECK(early.receive(1) == "x");

  // Sockets for later, then a limit that leaves no descriptor for the accepting side.
  std::vector<int> unconnected;
  for (int i = 0; i < 20; ++i) unconnected.push_back(::socket(AF_INET, SOCK_STREAM, 0));
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(unconnected.back()) + 1;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &tight) == 0);
  std::vector<int> plugs;  // numbers below the limit that are still free
  for (int fd = 0; (fd = dup(0)) >= 0;) plugs.push_back(fd);

  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(server.port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const int fd : unconnected) {
    CHECK(httpuv::test::connected(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    char byte = 0;
    CHECK(httpuv::test::receive_some(fd, &byte, 1) <= 0);  // FIN or RST, at once
  }
  early.send("y");
  CHECK(early.receive(1) == "y");
  CHECK(reports >= 1);
  CHECK(reports <= 2);
  CHECK(reported == UV_EMFILE);

  for (const int fd : plugs) ::close(fd);
  for (const int fd : unconnected) ::close(fd);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  Client late(server);
  late.send("z");
  CHECK(late.receive(1) == "z");
}

TEST_CASE("a listening socket that broke is reported and rested, not spun on") {
  ServerHarness server(echo);
  std::atomic<int> reported = 0;
  std::atomic<int> turns = 0;
  std::promise<void> known;
  server.call([&] {
    server.listener().on_overload = [&](int error) {
      if (reported.exchange(error) == 0) known.set_value();
    };
    server.loop().on_turn_end = [&] { ++turns; };
    ::shutdown(server.listener().socket().fd(), SHUT_RDWR);
  });
  known.get_future().wait();
  CHECK(reported == UV_EINVAL);
  turns = 0;
  // Two rests long.
  std::promise<void> later;
  std::unique_ptr<Ticker> ticker;
  server.call([&] {
    ticker = std::make_unique<Ticker>(server.loop(), [&] {
      ticker->stop();
      later.set_value();
    });
    ticker->start(250);
  });
  later.get_future().wait();
  CHECK(turns < 50);
  server.call([&] {
    ticker.reset();
    server.loop().on_turn_end = nullptr;
  });
}

}  // namespace
}  // namespace httpuv::net
