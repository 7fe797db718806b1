#include "net/listen/accepted.h"

#include <netinet/tcp.h>
#include <unistd.h>

#include "net/loop/loop.h"

namespace httpuv::net {

Accepted::~Accepted() {
  if (fd_ >= 0) loop_->close_descriptor(fd_);
}

Accepted Accepted::adopt(Loop& loop, int fd) {
  SocketAddress address;
  address.length = sizeof(address.storage);
  if (!loop.descriptors().add(fd)) {
    ::close(fd);
    return {loop, -1, {}};
  }
  auto* storage = reinterpret_cast<sockaddr*>(&address.storage);
  // A peer that has already gone (ENOTCONN) has no address; reading will tell the rest.
  if (getpeername(fd, storage, &address.length) != 0) {
    address.length = sizeof(address.storage);
    if (getsockname(fd, storage, &address.length) != 0) return {loop, fd, {}};
    PeerAddress unknown;
    unknown.family = address.storage.ss_family;
    return {loop, fd, unknown};
  }
  if (address.family() != AF_UNIX) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  return {loop, fd, PeerAddress::from(storage, address.length)};
}

}  // namespace httpuv::net
