#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../harness.h"
#include "net/file/file_slice.h"
#include "net/stream/stream.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::echo;
using test::kMega;
using test::kSmallBuffer;
using test::LoopHarness;
using test::pattern;
using test::ServerHarness;
using test::Session;
using test::shrink;

TEST_CASE("close ends with FIN, reset with RST") {
  ServerHarness server;
  Client first(server);
  Session& closed = server.session(1);
  Client second(server);
  Session& reset = server.session(2);
  server.call([&] {
    closed.stream.close();
    closed.stream.close();
    closed.stream.reset();
    CHECK(closed.stream.closing());
    CHECK(closed.stream.fd() == -1);
    CHECK(closed.stream.write("x") == UV_EBADF);
    reset.stream.reset();
    reset.stream.close();
  });
  CHECK(first.receive_end().empty());
  CHECK(second.receive_end() == "RST");
  closed.wait_for_event('C');
  reset.wait_for_event('C');
  CHECK(closed.events() == "C");
  CHECK(reset.events() == "C");
}

TEST_CASE("what is queued is dropped by close, and its owners let go") {
  for (const bool reset : {false, true}) {
    ServerHarness server;
    const Client client(server.port(), AF_INET, kSmallBuffer);
    Session& session = server.session();
    const auto owner = std::make_shared<const std::string>(4 * kMega, 'x');
    server.call([&] {
      CHECK(session.stream.write_shared("head", *owner, owner) == 0);
      CHECK(session.stream.busy());
      CHECK(owner.use_count() == 2);
      if (reset) {
        session.stream.reset();
      } else {
        session.stream.close();
      }
    });
    session.wait_for_event('C');
    CHECK(session.events() == "C");
    CHECK(owner.use_count() == 1);
  }
}

TEST_CASE("a reset by the peer is one error, in every state") {
  enum class When { kIdle, kQueued, kShutdown, kAfterEof };
  for (const When when : {When::kIdle, When::kQueued, When::kShutdown, When::kAfterEof}) {
    CAPTURE(static_cast<int>(when));
    ServerHarness server;
    Client client(server.port(), AF_INET, kSmallBuffer);
    Session& session = server.session();
    if (when == When::kAfterEof) {
      client.shut_down();
      session.wait_for_event('E');
    }
    server.call([&] {
      if (when == When::kIdle) return;
      CHECK(session.stream.write(pattern(4 * kMega)) == 0);
      if (when == When::kShutdown) session.stream.shutdown();
    });
    client.reset();
    session.wait_for_event('X');
    CHECK((session.error() == UV_ECONNRESET || session.error() == UV_EPIPE));
    server.call([&] {
      CHECK_FALSE(session.stream.reading());
      const int expected = session.error();
      CHECK(session.stream.write("x") == expected);
      CHECK(session.stream.write_owned("x", "y") == expected);
      CHECK(session.stream.write_shared("x", "y", nullptr) == expected);
      CHECK(session.stream.send_file("x", {}, 0, 5) == expected);
      session.stream.start_reading();
      CHECK_FALSE(session.stream.reading());
      session.stream.shutdown();
      session.stream.close();
    });
    session.wait_for_event('C');
    CHECK(session.events() == (when == When::kAfterEof ? "EXC" : "XC"));
  }
}

TEST_CASE("a write to a peer that is gone returns the error, and SIGPIPE does no harm") {
  struct sigaction action {};
  REQUIRE(sigaction(SIGPIPE, nullptr, &action) == 0);
  REQUIRE((action.sa_handler == SIG_DFL));
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  const test::TempFile file(pattern(1000));
  server.call([&] { session.stream.stop_reading(); });
  client.reset();
  server.call([&] {
    int error = 0;
    for (int i = 0; i < 1000 && error == 0; ++i) {
      error = i % 2 == 0 ? session.stream.write("anybody there?")
                         : session.stream.send_file("", file.ref(), 0, 1000);
      usleep(1000);  // the RST is on its way
    }
    CHECK((error == UV_EPIPE || error == UV_ECONNRESET));
    CHECK(session.stream.write("x") == error);
    // EPIPE comes with the signal, ECONNRESET only before it: this one raises it for sure.
    CHECK(::write(session.stream.fd(), "x", 1) < 0);
    CHECK(errno == EPIPE);
    // sendfile(2) as well, which knows no MSG_NOSIGNAL.
    CHECK(send_slice(session.stream.fd(), file.fd(), 0, 1000) == UV_EPIPE);
    session.stream.close();
  });
  session.wait_for_event('C');
  CHECK(session.events() == "C");  // an error that was returned is not reported again
}

TEST_CASE("close and reset from inside every callback") {
  for (const bool reset : {false, true}) {
    for (const char when : {'d', 'E', 'X', 'D'}) {
      CAPTURE(reset);
      CAPTURE(when);
      const auto end = [reset](Session& self) {
        CHECK(self.stream.write("last words") <= 0);
        if (reset) {
          self.stream.reset();
        } else {
          self.stream.close();
        }
        CHECK(self.stream.write("x") == UV_EBADF);
        self.stream.start_reading();
        self.stream.stop_reading();
        self.stream.shutdown();
        CHECK_FALSE(self.stream.reading());
      };
      ServerHarness server([&](Session& session) {
        if (when == 'd') session.data_hook = [&](Session& self, std::string_view) { end(self); };
        if (when == 'E') session.eof_hook = end;
        if (when == 'X') session.error_hook = end;
        if (when == 'D') session.drained_hook = end;
      });
      Client client(server);
      Session& session = server.session();
      switch (when) {
        case 'd':
          client.send("x");
          break;
        case 'E':
          client.shut_down();
          break;
        case 'X':
          client.reset();
          break;
        default:
          server.call([&] {
            shrink(session.stream);
            CHECK(session.stream.write(pattern(4 * kMega)) == 0);
          });
          client.receive(4 * kMega);
      }
      session.wait_for_event('C');
      CHECK(session.events().back() == 'C');
      CHECK(session.events().size() <= 2);
    }
  }
}

TEST_CASE("a drained handler may write again") {
  ServerHarness server;
  Client client(server.port(), AF_INET, kSmallBuffer);
  Session& session = server.session();
  int rounds = 0;
  server.call([&] {
    shrink(session.stream);
    session.drained_hook = [&](Session& self) {
      if (++rounds < 20) CHECK(self.stream.write(pattern(kMega)) == 0);
      if (rounds == 20) self.stream.shutdown();
    };
    CHECK(session.stream.write(pattern(kMega)) == 0);
  });
  std::string expected;
  for (int i = 0; i < 20; ++i) expected += pattern(kMega);
  CHECK((client.receive_all() == expected));
}

TEST_CASE("a stream, its session and its connection end in their own closed callback") {
  // As a server does it: the handler deletes itself.
  struct Connection final : StreamHandler {
    explicit Connection(int& gone) : gone(gone) {}
    ~Connection() { ++gone; }
    void on_data(std::string_view data) override { CHECK(stream.write(data) == 0); }
    void on_eof() override { stream.close(); }
    void on_error(int) noexcept override { stream.close(); }
    void on_drained() override {}
    void on_closed() noexcept override { delete this; }
    int& gone;
    Stream stream;
  };
  int gone = 0;
  {
    LoopHarness harness;
    const test::ListenerHarness listener(harness, [&](Accepted&& accepted) {
      auto* connection = new Connection(gone);
      CHECK(connection->stream.open(std::move(accepted), connection) == 0);
      connection->stream.start_reading();
    });
    for (int i = 0; i < 50; ++i) {
      Client client(listener.port(), AF_INET);
      client.send("x");
      CHECK(client.receive(1) == "x");
      if (i % 2 == 0) client.reset();
    }
  }
  CHECK(gone == 50);
}

TEST_CASE("an adopted connection that no stream takes is closed") {
  LoopHarness harness;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  harness.call([&] {
    const auto accepted = Accepted::adopt(harness.loop(), fds[0]);
    CHECK(accepted.fd() == fds[0]);
    CHECK(harness.loop().descriptors().contains(fds[0]));
  });
  Client client(fds[1]);
  CHECK(client.receive_end().empty());
  harness.call([&] { CHECK_FALSE(harness.loop().descriptors().contains(fds[0])); });
}

TEST_CASE("an inherited TCP connection has a peer and does not delay") {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp("127.0.0.1", 0, &sockets) == 0);
  Client client(sockets[0].port(), AF_INET);
  const int fd = ::accept(sockets[0].fd(), nullptr, nullptr);
  REQUIRE(fd >= 0);
  LoopHarness harness;
  Session session;
  harness.call([&] {
    int off = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off));
    echo(session);
    CHECK(session.stream.open(Accepted::adopt(harness.loop(), fd), &session) == 0);
    session.stream.start_reading();
    CHECK(session.stream.peer().address == "127.0.0.1");
    CHECK(session.stream.peer_address().port == client.local_port());
    int on = 0;
    socklen_t length = sizeof(on);
    getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
    CHECK(on != 0);
  });
  client.send("x");
  CHECK(client.receive(1) == "x");
  harness.call([&] { session.stream.close(); });
  session.wait_for_event('C');
}

TEST_CASE("a connection that is gone before it is adopted still ends in order") {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp("127.0.0.1", 0, &sockets) == 0);
  Client client(sockets[0].port(), AF_INET);
  client.send("x");
  const int fd = ::accept(sockets[0].fd(), nullptr, nullptr);
  REQUIRE(fd >= 0);
  client.reset();
  LoopHarness harness;
  Session session;
  harness.call([&] {
    CHECK(session.stream.open(Accepted::adopt(harness.loop(), fd), &session) == 0);
    session.stream.start_reading();
  });
  session.wait_for_event('X');
  harness.call([&] { session.stream.close(); });
  session.wait_for_event('C');
}

TEST_CASE("a stream that cannot be opened is closing, and says so once") {
  LoopHarness harness;
  const int fd = fcntl(0, F_DUPFD_CLOEXEC, 500);
  ::close(fd);  // a number that is not in use
  Session session;
  harness.call([&] {
    CHECK(session.stream.open(Accepted::adopt(harness.loop(), fd), &session) == UV_EBADF);
    CHECK(session.stream.closing());
    session.stream.start_reading();
    CHECK_FALSE(session.stream.reading());
    CHECK(session.stream.write("x") == UV_EBADF);
    session.stream.close();
  });
  session.wait_for_event('C');
  CHECK(session.events() == "C");
}

}  // namespace
}  // namespace httpuv::net
