// A connection between accept(2) and its Stream.
//
// What: a descriptor with its peer.
// Thread: the loop thread.
// Ownership: closes the descriptor unless a Stream took it.
// Failure: none.
#pragma once

#include <utility>

#include "net/listen/address.h"

namespace httpuv::net {

class Loop;

class Accepted {
 public:
  // Takes a connected, non-blocking socket that is already in the loop's descriptor set.
  Accepted(Loop& loop, int fd, const PeerAddress& peer) : loop_(&loop), fd_(fd), peer_(peer) {}
  Accepted(Accepted&& other) noexcept
      : loop_(other.loop_), fd_(std::exchange(other.fd_, -1)), peer_(other.peer_) {}
  Accepted& operator=(Accepted&&) = delete;
  ~Accepted();

  // Takes any connected stream socket (inherited, or one end of a socketpair); asks the kernel for
  // the peer.
  static Accepted adopt(Loop& loop, int fd);

  // To another loop, which a Stream takes it on; on the thread of the present one.
  void move_to(Loop& loop);

  Loop& loop() const { return *loop_; }
  int fd() const { return fd_; }
  const PeerAddress& peer() const { return peer_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  Loop* loop_;
  int fd_;
  PeerAddress peer_;
};

}  // namespace httpuv::net
