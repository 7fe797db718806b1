#include "net/listen/bind.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cstring>
#include <fstream>
#include <thread>

#include "../harness.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::count_descriptors;
using test::TempDir;

bool exists(const std::string& path) {
  struct stat file {};
  return lstat(path.c_str(), &file) == 0;
}

TEST_CASE("port 0 becomes a real port that takes connections") {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp("127.0.0.1", 0, &sockets) == 0);
  REQUIRE(sockets.size() == 1);
  CHECK(sockets[0].host() == "127.0.0.1");
  CHECK(sockets[0].port() > 0);
  CHECK(sockets[0].path().empty());
  CHECK_FALSE(sockets[0].is_unix());
  const Client client(sockets[0].port(), AF_INET);
  CHECK((fcntl(sockets[0].fd(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((fcntl(sockets[0].fd(), F_GETFL) & O_NONBLOCK) != 0);
}

TEST_CASE("every address of a name gets the same port") {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp("localhost", 0, &sockets) == 0);
  REQUIRE(!sockets.empty());
  for (const ListenSocket& socket : sockets) {
    CHECK(socket.port() == sockets[0].port());
    const Client client(socket.port(), socket.host() == "::1" ? AF_INET6 : AF_INET);
  }
}

TEST_CASE(":: takes IPv4 as well") {
  for (const char* host : {"::", "::/0"}) {
    std::vector<ListenSocket> sockets;
    REQUIRE(bind_tcp(host, 0, &sockets) == 0);
    REQUIRE(sockets.size() == 1);
    CHECK(sockets[0].host() == "::");
    const Client four(sockets[0].port(), AF_INET);
    const Client six(sockets[0].port(), AF_INET6);
  }
}

TEST_CASE("a taken port is an error that names the address and leaves nothing behind") {
  std::vector<ListenSocket> first;
  REQUIRE(bind_tcp("127.0.0.1", 0, &first) == 0);
  const std::size_t before = count_descriptors();
  std::vector<ListenSocket> second;
  std::string failed;
  CHECK(bind_tcp("127.0.0.1", first[0].port(), &second, &failed) == UV_EADDRINUSE);
  CHECK(second.empty());
  CHECK(failed == "127.0.0.1:" + std::to_string(first[0].port()));
  CHECK(count_descriptors() == before);
}

TEST_CASE("a port is free again as soon as its socket is closed, with connections lingering") {
  std::vector<ListenSocket> first;
  REQUIRE(bind_tcp("127.0.0.1", 0, &first) == 0);
  const int port = first[0].port();
  {
    Client client(port, AF_INET);
    const int served = ::accept(first[0].fd(), nullptr, nullptr);
    REQUIRE(served >= 0);
    ::close(served);  // our side closes first: TIME_WAIT stays here
    client.receive_all();
  }
  first.clear();
  std::vector<ListenSocket> second;
  CHECK(bind_tcp("127.0.0.1", port, &second) == 0);
}

TEST_CASE("errors of an address") {
  std::vector<ListenSocket> sockets;
  std::string failed;
  CHECK(bind_tcp("192.0.2.1", 0, &sockets, &failed) == UV_EADDRNOTAVAIL);
  CHECK(failed == "192.0.2.1:0");
  CHECK(bind_tcp("2001:db8::1", 5, &sockets, &failed) < 0);
  CHECK(failed == "[2001:db8::1]:5");
  CHECK(bind_tcp("no.such.host.invalid", 80, &sockets, &failed) < 0);
  CHECK(failed == "no.such.host.invalid:80");
  CHECK(bind_tcp("127.0.0.1", 70'000, &sockets, &failed) == UV_EINVAL);
  CHECK(sockets.empty());
}

TEST_CASE("a Unix socket is made with the mask and removed at the end") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  const mode_t process_mask = umask(022);
  {
    ListenSocket socket;
    REQUIRE(bind_unix(path, 0077, &socket) == 0);
    CHECK(socket.is_unix());
    CHECK(socket.path() == path);
    CHECK(socket.host().empty());
    CHECK(socket.port() == 0);
    struct stat file {};
    REQUIRE(stat(path.c_str(), &file) == 0);
    CHECK(S_ISSOCK(file.st_mode));
    CHECK((file.st_mode & 0777) == 0700);
    const Client client(path);
  }
  CHECK_FALSE(exists(path));
  {
    ListenSocket socket;
    REQUIRE(bind_unix(path, std::nullopt, &socket) == 0);
    struct stat file {};
    REQUIRE(stat(path.c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0755);
  }
  CHECK(umask(process_mask) == 022);
}

TEST_CASE("a mask wins over the process's umask, which it never changes") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  const mode_t process_mask = umask(0077);
  for (const mode_t mask : {mode_t{0}, mode_t{0117}, mode_t{0777}}) {
    ListenSocket socket;
    REQUIRE(bind_unix(path, mask, &socket) == 0);
    struct stat file {};
    REQUIRE(stat(path.c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == (0777 & ~mask));
  }
  CHECK(umask(process_mask) == 0077);
}

TEST_CASE("of many starts on one old socket file one gets it") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  for (int round = 0; round < 50; ++round) {
    const int orphan = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    REQUIRE(::bind(orphan, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
    ::close(orphan);
    std::array<ListenSocket, 4> sockets;
    std::array<int, 4> results{};
    std::barrier begin(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        begin.arrive_and_wait();
        results[i] = bind_unix(path, std::nullopt, &sockets[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::sort(results.begin(), results.end());
    CHECK(results == std::array<int, 4>{UV_EADDRINUSE, UV_EADDRINUSE, UV_EADDRINUSE, 0});
    const Client client(path);
  }
}

TEST_CASE("a relative path means the directory that it was bound in") {
  const TempDir first;
  const TempDir second;
  char before[4096];
  REQUIRE(getcwd(before, sizeof(before)) != nullptr);
  {
    REQUIRE(chdir(first.path("").c_str()) == 0);
    ListenSocket socket;
    REQUIRE(bind_unix("socket", std::nullopt, &socket) == 0);
    CHECK(exists(first.path("socket")));
    REQUIRE(chdir(second.path("").c_str()) == 0);
    std::ofstream("socket") << "precious";
  }
  REQUIRE(chdir(before) == 0);
  CHECK_FALSE(exists(first.path("socket")));
  CHECK(exists(second.path("socket")));
}

#ifdef __linux__
TEST_CASE("abstract names") {
  const std::string name = std::string("\0httpuv test ", 13) + std::to_string(getpid());
  ListenSocket first;
  REQUIRE(bind_unix(name, std::nullopt, &first) == 0);
  CHECK(first.is_unix());
  CHECK(first.path().empty());
  ListenSocket second;
  CHECK(bind_unix(name, std::nullopt, &second) == UV_EADDRINUSE);
  CHECK(bind_unix(name + "2", 0077, &second) == UV_EINVAL);
  CHECK(bind_unix(name + std::string(108, 'x'), std::nullopt, &second) == UV_ENAMETOOLONG);
  first = ListenSocket();
  CHECK(bind_unix(name, std::nullopt, &second) == 0);
}
#endif

TEST_CASE("a socket file without a listener is replaced") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  const int orphan = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  REQUIRE(::bind(orphan, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  ::close(orphan);
  REQUIRE(exists(path));
  ListenSocket socket;
  REQUIRE(bind_unix(path, std::nullopt, &socket) == 0);
  const Client client(path);
}

TEST_CASE("a live Unix socket and any other file are left alone") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  ListenSocket first;
  REQUIRE(bind_unix(path, std::nullopt, &first) == 0);
  ListenSocket second;
  CHECK(bind_unix(path, std::nullopt, &second) == UV_EADDRINUSE);
  const Client client(path);

  const std::string file = dir.path("file");
  std::ofstream(file) << "precious";
  CHECK(bind_unix(file, std::nullopt, &second) == UV_EADDRINUSE);
  std::string content;
  std::ifstream(file) >> content;
  CHECK(content == "precious");
}

TEST_CASE("only our own socket file is removed") {
  const TempDir dir;
  const std::string path = dir.path("socket");
  ListenSocket second;
  {
    ListenSocket first;
    REQUIRE(bind_unix(path, std::nullopt, &first) == 0);
    // Under another name the first one's inode stays in use: the second has its own.
    REQUIRE(rename(path.c_str(), dir.path("old").c_str()) == 0);
    REQUIRE(bind_unix(path, std::nullopt, &second) == 0);
  }
  CHECK(exists(path));
  const Client client(path);
}

TEST_CASE("errors of a path") {
  const TempDir dir;
  ListenSocket socket;
  CHECK(bind_unix("", std::nullopt, &socket) == UV_EINVAL);
  CHECK(bind_unix(std::string("a\0b", 3), std::nullopt, &socket) == UV_EINVAL);
  CHECK(bind_unix(std::string("\0", 1), std::nullopt, &socket) == UV_EINVAL);
  CHECK(bind_unix("/" + std::string(108, 'x'), std::nullopt, &socket) == UV_ENAMETOOLONG);
  CHECK(bind_unix(dir.path("none/socket"), std::nullopt, &socket) == UV_ENOENT);
  const std::string longest =
      dir.path(std::string(sizeof(sockaddr_un::sun_path) - 2 - dir.path("").size(), 'x'));
  CHECK(bind_unix(longest, std::nullopt, &socket) == 0);
}

TEST_CASE("a socket that already listens is taken over") {
  std::vector<ListenSocket> sockets;
  REQUIRE(bind_tcp("127.0.0.1", 0, &sockets) == 0);
  ListenSocket adopted;
  REQUIRE(adopt_listener(dup(sockets[0].fd()), &adopted) == 0);
  CHECK(adopted.port() == sockets[0].port());
  CHECK(adopted.host() == "127.0.0.1");
  sockets.clear();
  const Client client(adopted.port(), AF_INET);

  const int idle = ::socket(AF_INET, SOCK_STREAM, 0);
  ListenSocket refused;
  CHECK(adopt_listener(idle, &refused) == UV_EINVAL);
  ::close(idle);
  CHECK(adopt_listener(-1, &refused) == UV_EBADF);
}

}  // namespace
}  // namespace httpuv::net
