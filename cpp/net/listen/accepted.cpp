#include "net/listen/accepted.h"

#include <netinet/tcp.h>
#include <unistd.h>

#include "net/loop/loop.h"

namespace httpuv::net {

Accepted::~Accepted() {
  if (fd_ >= 0) loop_->close_descriptor(fd_);
}

// It is marked in both for a moment; a child that is forked then closes it twice, which is once.
void Accepted::move_to(Loop& loop) {
  if (fd_ < 0) return;
  if (!loop.descriptors().add(fd_)) {
    loop_->close_descriptor(std::exchange(fd_, -1));
    return;
  }
  loop_->descriptors().remove(fd_);
  loop_ = &loop;
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
