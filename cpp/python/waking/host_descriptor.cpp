#include "python/waking/host_descriptor.h"

#include <unistd.h>

#include <cerrno>
#include <system_error>

#ifdef __linux__
#include <sys/epoll.h>
#endif

namespace httpuv::python {

namespace {

#ifdef __linux__
bool add(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  return ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}
#endif

}  // namespace

HostDescriptor::~HostDescriptor() {
  if (fd_ >= 0 && fd_ != doorbell_) ::close(fd_);
}

void HostDescriptor::open(int doorbell) {
  if (fd_ >= 0) return;
  doorbell_ = doorbell;
#ifdef __linux__
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0 || !add(epoll, doorbell)) {
    const int error = errno;
    if (epoll >= 0) ::close(epoll);
    throw std::system_error(error, std::generic_category(), "epoll");
  }
  fd_ = epoll;
#else
  fd_ = doorbell;
#endif
}

bool HostDescriptor::show(int fd) {
  if (fd < 0) return false;
  if (shown_ == fd) return true;
  hide();
#ifdef __linux__
  if (!add(fd_, fd)) return false;
  shown_ = fd;
  return true;
#else
  return false;
#endif
}

void HostDescriptor::hide() {
#ifdef __linux__
  // The server may have ended, and its descriptor with it: then it is not in there any more.
  if (shown_ >= 0) ::epoll_ctl(fd_, EPOLL_CTL_DEL, shown_, nullptr);
#endif
  shown_ = -1;
}

void HostDescriptor::forget() {
  shown_ = -1;
}

}  // namespace httpuv::python
