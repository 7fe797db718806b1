#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "../uninterrupted.h"
#include "harness.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::echo;
using test::ServerHarness;
using test::Session;

// A child that lives until the parent lets it go, as a pool worker of an application would.
class Child {
 public:
  template <class Body>
  Child(Loop& loop, Body body) {
    REQUIRE(::pipe(gate_.data()) == 0);
    REQUIRE(::pipe(ready_.data()) == 0);
    loop.before_fork();
    pid_ = fork();
    if (pid_ == 0) {
      // Only what a child of a process with threads may do.
      ::close(gate_[1]);
      ::close(ready_[0]);
      body(*this);
      announce();
      wait_for_parent();
      _exit(failed_ ? 1 : 0);
    }
    loop.after_fork();
    REQUIRE(pid_ > 0);
    ::close(gate_[0]);
    ::close(ready_[1]);
  }
  ~Child() {
    if (pid_ > 0) end();
  }

  // In the parent.
  void wait_until_ready() const {
    char byte = 0;
    CHECK(httpuv::test::uninterrupted([&] { return ::read(ready_[0], &byte, 1); }) == 1);
  }
  void step() const { CHECK(::write(gate_[1], "x", 1) == 1); }
  int end() {
    ::close(gate_[1]);
    int status = 0;
    CHECK(httpuv::test::uninterrupted([&] { return waitpid(pid_, &status, 0); }) == pid_);
    pid_ = -1;
    ::close(ready_[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // In the child.
  void check(bool good) {
    if (!good) failed_ = true;
  }
  void wait_for_parent() const {
    char byte = 0;
    [[maybe_unused]] const ssize_t count =
        httpuv::test::uninterrupted([&] { return ::read(gate_[0], &byte, 1); });
  }
  void announce() const { [[maybe_unused]] const ssize_t count = ::write(ready_[1], "r", 1); }

 private:
  std::array<int, 2> gate_{};
  std::array<int, 2> ready_{};
  pid_t pid_ = -1;
  bool failed_ = false;
};

TEST_CASE("a child closes everything, and the parent goes on") {
  ServerHarness server(echo);
  Client client(server);
  client.send("before");
  CHECK(client.receive(6) == "before");
  Session& session = server.session();
  int connection = -1;
  int listener = -1;
  int poll_fd = -1;
  server.call([&] {
    connection = session.stream.fd();
    listener = server.listener().socket().fd();
    poll_fd = uv_backend_fd(server.loop().uv());
  });
  Child child(server.loop(), [&](Child& self) {
    server.loop().forget_in_child();
    for (const int fd : {connection, listener, poll_fd}) self.check(fcntl(fd, F_GETFD) < 0);
    self.check(fcntl(client.fd(), F_GETFD) >= 0);  // not ours
  });
  child.wait_until_ready();

  client.send("after");
  CHECK(client.receive(5) == "after");
  Client second(server);
  second.send("more");
  CHECK(second.receive(4) == "more");

  // The child lives, and yet the end of a connection and of the listener are real.
  server.call([&] { session.stream.close(); });
  CHECK(client.receive_end().empty());
  const int port = server.port();
  server.call([&] { server.stop_listening(); });
  std::vector<ListenSocket> again;
  CHECK(bind_tcp("127.0.0.1", port, &again) == 0);
  CHECK(child.end() == 0);
}

TEST_CASE("what the parent closes before the child gets to run ends for the clients all the same") {
  ServerHarness server(echo);
  Client closed(server);
  Session& first = server.session(1);
  Client kept(server);
  server.session(2);
  Child child(server.loop(), [&](Child& self) {
    self.wait_for_parent();
    server.loop().forget_in_child();
  });
  server.call([&] { first.stream.close(); });
  CHECK(closed.receive_end().empty());
  const int port = server.port();
  server.call([&] { server.stop_listening(); });
  // No process listens any more, although the child still has the socket.
  const int late = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(::connect(late, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0);
  ::close(late);
  child.step();
  child.wait_until_ready();
  kept.send("still here");
  CHECK(kept.receive(10) == "still here");
  CHECK(child.end() == 0);
}

TEST_CASE("a child may run a loop of its own") {
  ServerHarness server(echo);
  Client client(server);
  client.send("x");
  CHECK(client.receive(1) == "x");
  LoopThread idle;
  std::promise<void> release;
  REQUIRE(idle.start([&] { release.get_future().wait(); }) == 0);
  Child child(server.loop(), [&](Child& self) {
    server.loop().forget_in_child();
    idle.forget();
    self.check(!idle.started());
    // Without a thread, which sanitizers do not allow here: the loop ends itself.
    int error = 0;
    const auto loop = Loop::create(&error);
    self.check(error == 0);
    std::vector<ListenSocket> sockets;
    self.check(bind_tcp("127.0.0.1", 0, &sockets) == 0);
    bool accepted = false;
    std::unique_ptr<Listener> listener = Listener::open(
        *loop, std::move(sockets[0]),
        [&](Accepted&&) {
          accepted = true;
          listener.reset();
          loop->finish();
        },
        &error);
    self.check(error == 0);
    const Client own(listener->socket().port(), AF_INET);
    loop->run();
    self.check(accepted);
  });
  child.wait_until_ready();
  release.set_value();
  idle.join();
  client.send("y");
  CHECK(client.receive(1) == "y");
  CHECK(child.end() == 0);
}

TEST_CASE("forking again and again while connections come and go") {
  ServerHarness server(echo);
  std::atomic<bool> stop = false;
  std::thread traffic([&] {
    while (!stop) {
      Client client(server.port(), AF_INET);
      client.send("ping");
      CHECK(client.receive(4) == "ping");
    }
  });
  for (int i = 0; i < 30; ++i) {
    int unrelated[2];
    REQUIRE(::pipe(unrelated) == 0);
    Child child(server.loop(), [&](Child& self) {
      server.loop().forget_in_child();
      // Nothing that is not ours was closed, and no server-side socket is left.
      self.check(fcntl(unrelated[0], F_GETFD) >= 0);
      self.check(fcntl(unrelated[1], F_GETFD) >= 0);
      for (int fd = 0; fd < 1024; ++fd) {
        sockaddr_in name{};
        socklen_t length = sizeof(name);
        if (getsockname(fd, reinterpret_cast<sockaddr*>(&name), &length) != 0) continue;
        if (name.sin_family == AF_INET) self.check(ntohs(name.sin_port) != server.port());
      }
    });
    child.wait_until_ready();
    CHECK(child.end() == 0);
    ::close(unrelated[0]);
    ::close(unrelated[1]);
  }
  stop = true;
  traffic.join();
}

}  // namespace
}  // namespace httpuv::net
