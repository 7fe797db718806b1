#include "net/listen/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <uv.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace httpuv::net {

namespace {

// getaddrinfo's answers as libuv numbers them, so that uv_strerror() knows every error there is.
int translate_resolver_error(int code) {
  switch (code) {
    case EAI_AGAIN:
      return UV_EAI_AGAIN;
    case EAI_BADFLAGS:
      return UV_EAI_BADFLAGS;
    case EAI_FAIL:
      return UV_EAI_FAIL;
    case EAI_FAMILY:
      return UV_EAI_FAMILY;
    case EAI_MEMORY:
      return UV_EAI_MEMORY;
    case EAI_SERVICE:
      return UV_EAI_SERVICE;
    case EAI_SOCKTYPE:
      return UV_EAI_SOCKTYPE;
    case EAI_SYSTEM:
      return uv_translate_sys_error(errno);
#ifdef EAI_NODATA
    case EAI_NODATA:
      return UV_EAI_NODATA;
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
      return UV_EAI_ADDRFAMILY;
#endif
    default:
      return UV_EAI_NONAME;
  }
}

std::string ip_text(int family, const void* bytes, std::uint32_t scope) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, bytes, text, sizeof(text)) == nullptr) return {};
  std::string host = text;
  if (scope != 0) {
    char name[IF_NAMESIZE];
    host += '%';
    host += if_indextoname(scope, name) != nullptr ? std::string(name) : std::to_string(scope);
  }
  return host;
}

}  // namespace

int SocketAddress::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  }
  return 0;
}

void SocketAddress::set_port(int port) {
  const in_port_t value = htons(static_cast<std::uint16_t>(port));
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage)->sin_port = value;
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port = value;
}

bool SocketAddress::is_wildcard() const {
  if (family() == AF_INET) {
    return reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr == INADDR_ANY;
  }
  return family() == AF_INET6 &&
         IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

std::string SocketAddress::host() const {
  if (family() == AF_INET) {
    return ip_text(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, 0);
  }
  if (family() == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(&storage);
    return ip_text(AF_INET6, &address->sin6_addr, address->sin6_scope_id);
  }
  return {};
}

std::vector<SocketAddress> resolve(const std::string& host, int port, int* error) {
  std::vector<SocketAddress> found;
  *error = UV_EINVAL;
  if (port < 0 || port > 65535 || host.find('\0') != std::string::npos) return found;

  const std::string name = host == "::/0" ? "::" : host;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* first = nullptr;
  const int code = getaddrinfo(name.c_str(), nullptr, &hints, &first);
  if (code != 0) {
    *error = translate_resolver_error(code);
    return found;
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(first, &freeaddrinfo);
  for (const addrinfo* entry = first; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    SocketAddress address;
    std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
    address.length = entry->ai_addrlen;
    address.set_port(port);
    // A hosts file may list the same address under several names.
    const bool known = std::any_of(found.begin(), found.end(), [&](const SocketAddress& other) {
      return other.length == address.length &&
             std::memcmp(&other.storage, &address.storage, address.length) == 0;
    });
    if (!known) found.push_back(address);
  }
  *error = found.empty() ? static_cast<int>(UV_EAI_NONAME) : 0;
  return found;
}

PeerAddress PeerAddress::from(const sockaddr* address, socklen_t length) {
  PeerAddress peer;
  if (length < static_cast<socklen_t>(sizeof(sa_family_t))) {
    // An unnamed Unix socket: some systems report no address at all.
    peer.family = AF_UNIX;
    return peer;
  }
  peer.family = address->sa_family;
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    std::memcpy(peer.bytes.data(), &v4->sin_addr, 4);
    peer.port = ntohs(v4->sin_port);
  } else if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    peer.port = ntohs(v6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      peer.family = AF_INET;
      std::memcpy(peer.bytes.data(), v6->sin6_addr.s6_addr + 12, 4);
    } else {
      std::memcpy(peer.bytes.data(), &v6->sin6_addr, 16);
      peer.scope = v6->sin6_scope_id;
    }
  }
  return peer;
}

std::string PeerAddress::host() const {
  if (family == AF_INET6) return ip_text(AF_INET6, bytes.data(), scope);
  if (family != AF_INET) return {};
  // Every connection of most servers: worth not going through the general routine.
  char text[16];
  char* end = text;
  for (int i = 0; i < 4; ++i) {
    if (i > 0) *end++ = '.';
    end = std::to_chars(end, text + sizeof(text), bytes[static_cast<std::size_t>(i)]).ptr;
  }
  return {text, end};
}

}  // namespace httpuv::net
