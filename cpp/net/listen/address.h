// Socket addresses: names to numbers, numbers to text.
//
// What: plain values and the resolver.
// Thread: any; resolve() may block on DNS, so it never runs on the loop thread.
// Ownership: values.
// Failure: resolve() reports a negative libuv error number (UV_EAI_NONAME and others).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace httpuv::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  int port() const;
  void set_port(int port);
  bool is_wildcard() const;
  // "127.0.0.1", "::1", "fe80::1%eth0"; "" for anything but IP.
  std::string host() const;
};

// Every address of `host` for a TCP listener: an IPv4 or IPv6 literal, "::/0" (the same as "::"),
// or a name. Empty with *error set if there is none.
std::vector<SocketAddress> resolve(const std::string& host, int port, int* error);

// The address of a peer in a compact form, because every connection stores one.
struct PeerAddress {
  std::array<std::uint8_t, 16> bytes{};
  std::uint32_t scope = 0;
  std::uint16_t port = 0;
  std::uint16_t family = AF_UNSPEC;  // AF_INET, AF_INET6 or AF_UNIX

  static PeerAddress from(const sockaddr* address,
                          socklen_t length);  // v4-mapped IPv6 becomes IPv4
  std::string host() const;                   // "" for a Unix socket
};

struct Peer {
  std::string address;  // "127.0.0.1", "::1"; "" for a Unix socket
  int port = 0;         // 0 for a Unix socket
  int family = AF_UNSPEC;
};

}  // namespace httpuv::net
