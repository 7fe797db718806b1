#include "net/listen/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "net/loop/loop.h"
#include "net/loop/timer_wheel.h"

namespace httpuv::net {

namespace {

constexpr int kMaxBurst = 64;          // connections taken in one turn, so that others have theirs
constexpr std::int64_t kRestMs = 100;  // pause after an error that would only come again
constexpr std::int64_t kReportMs = 1000;  // between two reports of overload

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

// Errors of one connection, not of the listener (accept(2): the peer gave up, or its network did).
bool concerns_one_connection(int error) {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

class Listener::Watch final : public DeadlineOwner {
 public:
  Watch(Loop& loop, ListenSocket&& socket, std::function<void(Accepted&&)> on_connection)
      : loop_(loop), socket_(std::move(socket)), on_connection_(std::move(on_connection)) {}

  int open(Listener* listener);
  void close();
  void pause();
  void resume();

  bool paused_ = false;
  ListenSocket& socket() { return socket_; }
  int share(ListenSocket* out);

 private:
  void on_readable() noexcept;
  // A descriptor, or minus an errno.
  int accept_one(PeerAddress* peer);
  void shed_one();
  void report(int error);
  void rest();
  void on_deadline(Deadline&) noexcept override { watch(); }
  void watch();

  Loop& loop_;
  Listener* listener_ = nullptr;  // null once it is gone
  ListenSocket socket_;
  std::function<void(Accepted&&)> on_connection_;
  uv_poll_t poll_;
  Deadline rest_{this};
  std::int64_t reported_ms_ = -kReportMs;
  int reserve_ = -1;
  int burst_ = 1;
};

int Listener::Watch::open(Listener* listener) {
  if (!loop_.descriptors().add(socket_.fd())) return UV_EMFILE;
  const int error = uv_poll_init_socket(loop_.uv(), &poll_, socket_.fd());
  if (error != 0) {
    loop_.descriptors().remove(socket_.fd());
    return error;
  }
  poll_.data = this;
  loop_.opened();
  listener_ = listener;
  reserve_ = open_reserve();
  watch();
  return 0;
}

void Listener::Watch::watch() {
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int status, int) {
    auto* self = static_cast<Watch*>(handle->data);
    if (status == 0) {
      self->on_readable();
    } else {
      self->rest();  // libuv stopped watching: the socket reports an error
    }
  });
}

void Listener::Watch::pause() {
  paused_ = true;
  rest_.clear();
  uv_poll_stop(&poll_);
}

void Listener::Watch::resume() {
  if (!paused_) return;
  paused_ = false;
  watch();
}

void Listener::Watch::close() {
  listener_ = nullptr;
  rest_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), [](uv_handle_t* handle) {
    const std::unique_ptr<Watch> self(static_cast<Watch*>(handle->data));
    self->loop_.closed();
  });
  // libuv no longer uses the descriptor (a poll handle never closes it), so it can go now: the port
  // is free when the destructor of the Listener returns.
  const std::lock_guard lock(loop_.descriptors().gate());
  loop_.descriptors().remove(socket_.fd());
  if (loop_.forked()) socket_.set_copied();
  socket_.close();
  if (reserve_ >= 0) ::close(std::exchange(reserve_, -1));
}

int Listener::Watch::share(ListenSocket* out) {
  const std::lock_guard lock(loop_.descriptors().gate());
  if (loop_.forked()) socket_.set_copied();
  return socket_.duplicate(out);
}

int Listener::Watch::accept_one(PeerAddress* peer) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  const std::lock_guard lock(loop_.descriptors().gate());
  int fd = -1;
  do {
#ifdef SOCK_CLOEXEC
    fd = ::accept4(socket_.fd(), address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
#else
    fd = ::accept(socket_.fd(), address, &length);
    if (fd >= 0) {
      fcntl(fd, F_SETFD, FD_CLOEXEC);
      const int on = 1;
      setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof(on));
      if (!socket_.is_unix()) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
#endif
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return -errno;
  if (fd <= STDERR_FILENO) {
    // Of a process that has closed its standard streams. libuv never closes these numbers.
    const int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    const int error = errno;
    ::close(fd);
    if (moved < 0) return -error;
    fd = moved;
  }
  if (!loop_.descriptors().add(fd)) {
    ::close(fd);
    return -EMFILE;
  }
  *peer = PeerAddress::from(address, length);
  // A Unix peer rarely has a name, and some systems then leave the family out.
  if (socket_.is_unix()) peer->family = AF_UNIX;
  return fd;
}

void Listener::Watch::on_readable() noexcept {
  for (int i = 0; i < burst_; ++i) {
    PeerAddress peer;
    const int fd = accept_one(&peer);
    if (fd >= 0) {
      try {
        on_connection_(Accepted(loop_, fd, peer));
      } catch (const std::bad_alloc&) {  // this connection is closed; those behind it wait a while
        if (listener_ == nullptr) return;
        report(ENOMEM);
        if (listener_ != nullptr && !paused_) rest();
        return;
      }
      if (listener_ == nullptr || paused_) return;
      continue;
    }
    const int error = -fd;
    if (error == EAGAIN || error == EWOULDBLOCK) {
      burst_ = 1;
      return;
    }
    if (concerns_one_connection(error)) continue;
    report(error);
    if (listener_ == nullptr) return;
    if ((error == EMFILE || error == ENFILE) && reserve_ >= 0) {
      shed_one();
    } else {
      rest();
      return;
    }
  }
  // Connections are still waiting, perhaps: a loaded loop turns slowly, so take more at the next.
  burst_ = std::min(burst_ * 2, kMaxBurst);
}

// Takes one connection with the descriptor kept for this, and closes it. Another thread may snatch
// the descriptor in between; then the listener rests until there is one again.
void Listener::Watch::shed_one() {
  ::close(reserve_);
  const int fd = ::accept(socket_.fd(), nullptr, nullptr);
  if (fd >= 0) ::close(fd);
  reserve_ = open_reserve();
}

void Listener::Watch::rest() {
  uv_poll_stop(&poll_);
  rest_.set(loop_.timers(), loop_.now_ms() + kRestMs);
  if (reserve_ < 0) reserve_ = open_reserve();
}

void Listener::Watch::report(int error) {
  if (!listener_->on_overload || loop_.now_ms() - reported_ms_ < kReportMs) return;
  reported_ms_ = loop_.now_ms();
  try {
    listener_->on_overload(uv_translate_sys_error(error));
  } catch (const std::bad_alloc&) {
    reported_ms_ = -kReportMs;  // told the next time
  }
}

std::unique_ptr<Listener> Listener::open(Loop& loop, ListenSocket&& socket,
                                         std::function<void(Accepted&&)> on_connection,
                                         int* error) {
  auto watch = std::make_unique<Watch>(loop, std::move(socket), std::move(on_connection));
  std::unique_ptr<Listener> listener(new Listener(watch.get()));
  *error = watch->open(listener.get());
  if (*error != 0) {
    listener->watch_ = nullptr;
    return nullptr;
  }
  (void)watch.release();  // owns itself from here on
  return listener;
}

Listener::Listener(Watch* watch) : watch_(watch) {}

Listener::~Listener() {
  if (watch_ != nullptr) watch_->close();
}

void Listener::pause() {
  watch_->pause();
}
void Listener::resume() {
  watch_->resume();
}
bool Listener::paused() const {
  return watch_->paused_;
}
const ListenSocket& Listener::socket() const {
  return watch_->socket();
}

int Listener::share(ListenSocket* out) {
  return watch_->share(out);
}

}  // namespace httpuv::net
