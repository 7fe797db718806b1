#include "net/loop/exposure.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <type_traits>

#ifdef __linux__
#include <sys/timerfd.h>
#endif

namespace httpuv::net {

namespace {

// libuv has no function for it. The second form is that of versions before 1.46.
template <class Queue>
bool is_empty(const Queue& queue) {
  if constexpr (std::is_array_v<Queue>) {
    return queue[0] == static_cast<const void*>(&queue);
  } else {
    return queue.next == &queue;
  }
}

void wait_readable(int fd, int timeout_ms, short* seen) {
  pollfd entry{fd, POLLIN, 0};
  while (::poll(&entry, 1, timeout_ms) < 0 && errno == EINTR) {
  }
  *seen = entry.revents;
}

}  // namespace

Exposure::~Exposure() {
  const std::lock_guard lock(descriptors_.gate());
  for (const int fd : {copy_, alarm_fd_}) {
    if (fd < 0) continue;
    descriptors_.remove(fd);
    ::close(fd);
  }
}

int Exposure::fd() {
#ifdef __linux__
  const std::lock_guard lock(descriptors_.gate());
  if (copy_ >= 0 || closed_) return copy_;
  copy_ = ::fcntl(uv_backend_fd(uv_), F_DUPFD_CLOEXEC, 0);
  if (copy_ >= 0) descriptors_.add(copy_);
#endif
  return copy_;
}

bool Exposure::due() const {
  short seen = 0;
  wait_readable(uv_backend_fd(uv_), 0, &seen);
  return seen != 0;
}

void Exposure::await_due() const {
  short seen = 0;
  wait_readable(uv_backend_fd(uv_), -1, &seen);
}

bool Exposure::settled() const {
  return is_empty(uv_->watcher_queue) && uv_backend_timeout(uv_) != 0;
}

bool Exposure::arm() {
#ifdef __linux__
  const int timeout_ms = uv_backend_timeout(uv_);
  if (timeout_ms < 0) return true;
  const auto at = static_cast<std::int64_t>(uv_now(uv_)) + timeout_ms;
  // One that rings too early costs a turn. To set it costs a system call, and most of the time the
  // next timer moves away.
  if (alarm_at_ >= 0 && alarm_at_ <= at) return true;
  itimerspec when{};
  when.it_value.tv_sec = timeout_ms / 1000;
  when.it_value.tv_nsec = timeout_ms % 1000 * 1'000'000L + 1;  // 0 would be never
  if (::timerfd_settime(alarm_fd_, 0, &when, nullptr) != 0) return false;
  alarm_at_ = at;
#endif
  return true;
}

bool Exposure::open() {
  if (alarm_fd_ >= 0) return true;
#ifdef __linux__
  const std::lock_guard lock(descriptors_.gate());
  if (closed_) return false;
  const int fd = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) return false;
  if (uv_poll_init(uv_, &alarm_, fd) != 0) {
    ::close(fd);
    return false;
  }
  alarm_fd_ = fd;
  descriptors_.add(fd);
  alarm_.data = this;
  uv_poll_start(&alarm_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* const self = static_cast<Exposure*>(handle->data);
    std::uint64_t rings = 0;
    if (::read(self->alarm_fd_, &rings, sizeof rings) > 0) self->alarm_at_ = -1;
  });
  return true;
#else
  return false;
#endif
}

void Exposure::close() {
  const std::lock_guard lock(descriptors_.gate());
  closed_ = true;
  if (alarm_fd_ >= 0) uv_close(reinterpret_cast<uv_handle_t*>(&alarm_), nullptr);
}

}  // namespace httpuv::net
