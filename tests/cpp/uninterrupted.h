// System calls of tests that block until they have an answer.
//
// A time limit on a socket (SO_RCVTIMEO) makes its calls end with EINTR instead of being restarted,
// and the end of an io_uring (libuv's, of an earlier loop) interrupts the thread that made it. So
// every blocking call of a test goes through here: EINTR is not an end of the connection.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>

namespace httpuv::test {

template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

inline ssize_t receive_some(int fd, void* into, std::size_t size) {
  return uninterrupted([&] { return ::recv(fd, into, size, 0); });
}

inline ssize_t send_some(int fd, const void* bytes, std::size_t size) {
  return uninterrupted([&] { return ::send(fd, bytes, size, MSG_NOSIGNAL); });
}

// connect(2) goes on by itself when it was interrupted.
inline bool connected(int fd, const sockaddr* address, socklen_t length) {
  if (uninterrupted([&] { return ::connect(fd, address, length); }) == 0) return true;
  return errno == EISCONN;
}

}  // namespace httpuv::test
