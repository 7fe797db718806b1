#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/un.h>
#include <uv.h>

#include <cstring>

#include "net/listen/address.h"

namespace httpuv::net {
namespace {

PeerAddress peer_of(const char* text, int port) {
  int error = 0;
  const auto addresses = resolve(text, port, &error);
  REQUIRE(error == 0);
  return PeerAddress::from(addresses.front().get(), addresses.front().length);
}

TEST_CASE("literals resolve to themselves") {
  for (const char* host : {"127.0.0.1", "0.0.0.0", "::1", "::", "10.1.2.3", "fe80::1"}) {
    CAPTURE(host);
    int error = 1;
    const auto addresses = resolve(host, 8080, &error);
    CHECK(error == 0);
    REQUIRE(addresses.size() == 1);
    CHECK(addresses.front().host() == host);
    CHECK(addresses.front().port() == 8080);
  }
}

TEST_CASE("the manual's ::/0 is ::") {
  int error = 1;
  const auto addresses = resolve("::/0", 1, &error);
  CHECK(error == 0);
  REQUIRE(addresses.size() == 1);
  CHECK(addresses.front().host() == "::");
  CHECK(addresses.front().is_wildcard());
}

TEST_CASE("localhost resolves, without repetitions") {
  int error = 1;
  const auto addresses = resolve("localhost", 1, &error);
  CHECK(error == 0);
  CHECK(addresses.size() >= 1);
  CHECK(addresses.size() <= 2);
  for (const auto& address : addresses) {
    CHECK((address.host() == "127.0.0.1" || address.host() == "::1"));
    CHECK_FALSE(address.is_wildcard());
  }
}

TEST_CASE("what does not resolve says why") {
  int error = 0;
  CHECK(resolve("", 1, &error).empty());
  CHECK(error < 0);
  CHECK(resolve("256.256.256.256", 1, &error).empty());
  CHECK(error < 0);
  CHECK(std::strlen(uv_strerror(error)) > 0);
  CHECK(resolve("127.0.0.1", -1, &error).empty());
  CHECK(error == UV_EINVAL);
  CHECK(resolve("127.0.0.1", 65'536, &error).empty());
  CHECK(error == UV_EINVAL);
  CHECK(resolve(std::string("127.0.0.1\0x", 11), 1, &error).empty());
  CHECK(error == UV_EINVAL);
}

TEST_CASE("peers as text") {
  CHECK(peer_of("127.0.0.1", 80).host() == "127.0.0.1");
  CHECK(peer_of("255.255.255.255", 80).host() == "255.255.255.255");
  CHECK(peer_of("0.0.0.0", 80).host() == "0.0.0.0");
  CHECK(peer_of("::1", 65535).host() == "::1");
  CHECK(peer_of("::1", 65535).port == 65535);
  CHECK(peer_of("::1", 1).family == AF_INET6);
  CHECK(peer_of("2001:db8::ff", 1).host() == "2001:db8::ff");
}

TEST_CASE("a v4-mapped peer is an IPv4 peer") {
  const PeerAddress peer = peer_of("::ffff:192.0.2.7", 99);
  CHECK(peer.family == AF_INET);
  CHECK(peer.host() == "192.0.2.7");
  CHECK(peer.port == 99);
}

TEST_CASE("a link-local peer names its interface") {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_scope_id = 1;  // the loopback interface, on every system there is
  REQUIRE(inet_pton(AF_INET6, "fe80::1", &address.sin6_addr) == 1);
  const auto peer = PeerAddress::from(reinterpret_cast<sockaddr*>(&address), sizeof(address));
  CHECK(peer.host().starts_with("fe80::1%"));
}

TEST_CASE("a Unix peer has no address") {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto peer = PeerAddress::from(reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t));
  CHECK(peer.family == AF_UNIX);
  CHECK(peer.host().empty());
  CHECK(peer.port == 0);
  CHECK(PeerAddress::from(reinterpret_cast<sockaddr*>(&address), 0).family == AF_UNIX);
}

}  // namespace
}  // namespace httpuv::net
