#include "net/listen/bind.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "net/listen/common.h"
#include "net/listen/sockets.h"

namespace httpuv::net {

namespace {

constexpr int kPortAttempts = 16;

int bind_address(int fd, const SocketAddress& address, bool dual_stack,
                 const BindOptions& options) {
  set_option(fd, SOL_SOCKET, SO_REUSEADDR);
  if (options.reuse_port) {
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0) return last_error();
  }
  // Accepted sockets inherit it on Linux and the BSDs: one system call less for each connection.
  set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  if (address.family() == AF_INET6) {
    const int only = dual_stack ? 0 : 1;
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) != 0) return last_error();
  }
  if (::bind(fd, address.get(), address.length) != 0) return last_error();
  // With SO_REUSEADDR some conflicts only show here.
  if (::listen(fd, options.backlog) != 0) return last_error();
  return 0;
}

bool no_such_family(int error) {
  return error == UV_EAFNOSUPPORT || error == UV_EADDRNOTAVAIL;
}

std::string text_of(const std::string& host, int port) {
  return (host.find(':') == std::string::npos ? host : '[' + host + ']') + ':' +
         std::to_string(port);
}

}  // namespace

ListenSocket::ListenSocket(ListenSocket&& other) noexcept {
  *this = std::move(other);
}

ListenSocket& ListenSocket::operator=(ListenSocket&& other) noexcept {
  if (this == &other) return *this;
  close();
  fd_ = std::exchange(other.fd_, -1);
  unix_ = other.unix_;
  adopted_ = other.adopted_;
  port_ = other.port_;
  host_ = std::move(other.host_);
  common_ = std::move(other.common_);
  return *this;
}

ListenSocket::~ListenSocket() {
  close();
}

void ListenSocket::close() {
  if (fd_ < 0) return;
  if (common_ != nullptr && common_.use_count() == 1) {
    if (common_->copied && !adopted_) ::shutdown(fd_, SHUT_RDWR);
    common_.reset();  // removes the file before nothing listens on it any more
  }
  common_.reset();
  ::close(std::exchange(fd_, -1));
}

ListenSocket::Common::~Common() {
  if (path.empty()) return;
  // Only our own file: another may have taken its place since.
  struct stat now {};
  if (lstat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode) {
    unlink(path.c_str());
  }
}

const std::string& ListenSocket::path() const {
  static const std::string kNone;
  return common_ != nullptr ? common_->path : kNone;
}

int ListenSocket::duplicate(ListenSocket* out) const {
  ListenSocket copy;
  copy.fd_ = fcntl(fd_, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (copy.fd_ < 0) return last_error();
  copy.unix_ = unix_;
  copy.adopted_ = adopted_;
  copy.port_ = port_;
  copy.host_ = host_;
  copy.common_ = common_;
  *out = std::move(copy);
  return 0;
}

void ListenSocket::set_copied() {
  if (common_ != nullptr) common_->copied = true;
}

void ListenSocket::read_name() {
  if (common_ == nullptr) common_ = std::make_shared<Common>();
  SocketAddress name;
  name.length = sizeof(name.storage);
  if (getsockname(fd_, reinterpret_cast<sockaddr*>(&name.storage), &name.length) != 0) return;
  unix_ = name.family() == AF_UNIX;
  host_ = name.host();
  port_ = name.port();
}

int bind_tcp(const std::string& host, int port, std::vector<ListenSocket>* out, std::string* failed,
             const BindOptions& options) {
  int error = 0;
  const std::vector<SocketAddress> addresses = resolve(host, port, &error);
  if (failed != nullptr) *failed = text_of(host, port);
  if (error != 0) return error;

  // A free port for the first address may be taken on the second: then another one is tried.
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    std::vector<ListenSocket> bound;
    int skipped = 0;
    int shared_port = port;
    error = 0;
    for (SocketAddress address : addresses) {
      address.set_port(shared_port);
      ListenSocket socket;
      socket.fd_ = make_socket(address.family());
      error = socket.fd_ < 0
                  ? socket.fd_
                  : bind_address(socket.fd_, address,
                                 address.is_wildcard() && addresses.size() == 1, options);
      if (error != 0 && no_such_family(error) && addresses.size() > 1) {
        skipped = std::exchange(error, 0);
        continue;
      }
      if (error != 0) {
        if (failed != nullptr) *failed = text_of(address.host(), shared_port);
        break;
      }
      socket.read_name();
      shared_port = socket.port_;
      bound.push_back(std::move(socket));
    }
    if (error == 0 && bound.empty()) error = skipped;
    if (error == 0) {
      for (ListenSocket& socket : bound) out->push_back(std::move(socket));
      if (failed != nullptr) failed->clear();
      return 0;
    }
    if (port != 0 || error != UV_EADDRINUSE) return error;
  }
  return error;
}

int adopt_listener(int fd, ListenSocket* out) {
  int listening = 0;
  socklen_t length = sizeof(listening);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) return last_error();
  if (listening == 0) return UV_EINVAL;
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return last_error();
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return last_error();
  ListenSocket socket;
  socket.fd_ = fd;
  socket.adopted_ = true;
  socket.read_name();
  if (!socket.unix_) set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  *out = std::move(socket);
  return 0;
}

}  // namespace httpuv::net
