#include "python/waking/doorbell.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

namespace httpuv::python {

Doorbell::Doorbell(Kind kind) {
#ifdef __linux__
  if (kind == Kind::kAny) {
    read_fd_ = write_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (read_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    return;
  }
#else
  static_cast<void>(kind);
#endif
  int fds[2];
  if (::pipe(fds) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  for (const int fd : fds) {
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
  }
  read_fd_ = fds[0];
  write_fd_ = fds[1];
}

Doorbell::~Doorbell() {
  if (write_fd_ != read_fd_) ::close(write_fd_);
  ::close(read_fd_);
}

void Doorbell::ring() noexcept {
  const std::uint64_t one = 1;
  // EAGAIN means that it is readable already.
  while (::write(write_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  rung_.store(true);  // afterwards: a hush() in between leaves it readable for the next one
}

void Doorbell::hush() noexcept {
  if (rung_.exchange(false)) clear();
}

void Doorbell::clear() noexcept {
  std::uint64_t counted[8];
  while (::read(read_fd_, counted, sizeof counted) == sizeof counted) {
  }
}

bool Doorbell::wait(int timeout_ms, int other) noexcept {
  pollfd entries[] = {{read_fd_, POLLIN, 0}, {other, POLLIN, 0}};
  return ::poll(entries, 2, timeout_ms) > 0;
}

}  // namespace httpuv::python
