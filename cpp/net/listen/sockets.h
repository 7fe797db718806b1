// The common part of binding TCP and Unix sockets.
//
// Thread: any; nothing here blocks.
// Ownership: make_socket() returns a descriptor that the caller closes.
// Failure: negative libuv error numbers.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <uv.h>

#include <cerrno>

namespace httpuv::net {

inline int last_error() {
  return uv_translate_sys_error(errno);
}

inline void set_option(int fd, int level, int name) {
  const int on = 1;
  setsockopt(fd, level, name, &on, sizeof(on));
}

// A non-blocking socket that programs we start do not inherit.
inline int make_socket(int family) {
#ifdef SOCK_CLOEXEC
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
#else
  const int fd = ::socket(family, SOCK_STREAM, 0);
  if (fd >= 0) {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    set_option(fd, SOL_SOCKET, SO_NOSIGPIPE);
  }
#endif
  return fd >= 0 ? fd : last_error();
}

}  // namespace httpuv::net
