// Unix sockets: the file, its mode, and which of two starts on one path gets it.
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <ctime>
#include <string>

#include "net/listen/bind.h"
#include "net/listen/common.h"
#include "net/listen/sockets.h"

namespace httpuv::net {

namespace {

constexpr mode_t kAllPermissions = 0777;
constexpr int kLockAttempts = 200;
constexpr long kLockPauseNs = 5'000'000;

// No process listens on the socket file any more: its creator ended without removing it.
bool is_stale(const sockaddr_un& address, socklen_t length) {
  const int fd = make_socket(AF_UNIX);
  if (fd < 0) return false;
  const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), length);
  const bool refused = result != 0 && errno == ECONNREFUSED;
  ::close(fd);
  return refused;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The same file after a chdir(2). As it was if the working directory has no name.
std::string absolute(const std::string& path) {
  if (path.front() == '/') return path;
  char* const directory = ::getcwd(nullptr, 0);
  if (directory == nullptr) return path;
  std::string result = std::string(directory) + '/' + path;
  std::free(directory);
  return result;
}

// One start at a time in a directory, among threads and among processes. Without it, two starts may
// both find an old socket file, and the second removes the new file of the first. The lock is one
// of the directory itself, so that no lock file stays behind. Other programs may use such locks for
// purposes of their own: after a second the start goes on without.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::string& directory)
      : fd_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    for (int i = 0; fd_ >= 0 && i < kLockAttempts && ::flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) {
      if (errno != EWOULDBLOCK && errno != EINTR) return;
      const timespec pause{0, kLockPauseNs};
      ::nanosleep(&pause, nullptr);
    }
  }
  ~DirectoryLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  int fd_;
};

#ifdef __linux__
// A name in the kernel's own table (unix(7)): no file, so no permissions, and nothing to remove.
int bind_abstract(const std::string& name, ListenSocket* out, ListenSocket socket, int fd,
                  int backlog) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() > sizeof(address.sun_path)) return UV_ENAMETOOLONG;
  std::memcpy(address.sun_path, name.data(), name.size());
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), length) != 0) return last_error();
  if (::listen(fd, backlog) != 0) return last_error();
  *out = std::move(socket);
  return 0;
}
#endif

}  // namespace

int bind_unix(const std::string& path, std::optional<mode_t> mask, ListenSocket* out,
              const BindOptions& options) {
  if (path.empty()) return UV_EINVAL;
  ListenSocket socket;
  socket.unix_ = true;
  socket.common_ = std::make_shared<ListenSocket::Common>();
#ifdef __linux__
  if (path.front() == '\0') {
    if (mask || path.size() == 1) return UV_EINVAL;
    socket.fd_ = make_socket(AF_UNIX);
    if (socket.fd_ < 0) return socket.fd_;
    const int fd = socket.fd_;
    return bind_abstract(path, out, std::move(socket), fd, options.backlog);
  }
#endif
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.find('\0') != std::string::npos) return UV_EINVAL;
  if (path.size() >= sizeof(address.sun_path)) return UV_ENAMETOOLONG;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

  const DirectoryLock lock(directory_of(path));
  struct stat file {};
  if (lstat(path.c_str(), &file) == 0) {
    if (!S_ISSOCK(file.st_mode) || !is_stale(address, sizeof(address))) return UV_EADDRINUSE;
    if (unlink(path.c_str()) != 0 && errno != ENOENT) return last_error();
  }

  socket.fd_ = make_socket(AF_UNIX);
  if (socket.fd_ < 0) return socket.fd_;
  // The process's umask is not for us to change: other threads make files meanwhile. Linux gives
  // the file the mode of the socket, less the umask; so it never allows more than it is to.
  if (mask) static_cast<void>(::fchmod(socket.fd_, kAllPermissions & ~*mask));
  if (::bind(socket.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return last_error();
  }
  // From here on the file is ours, and goes with the socket whatever happens.
  if (lstat(path.c_str(), &file) != 0) return last_error();
  socket.common_->device = file.st_dev;
  socket.common_->inode = file.st_ino;
  socket.common_->path = absolute(path);
  // No client can connect before listen(2), so a wider mode until here does no harm.
  if (mask && (file.st_mode & kAllPermissions) != (kAllPermissions & ~*mask) &&
      ::chmod(path.c_str(), kAllPermissions & ~*mask) != 0) {
    return last_error();
  }
  if (::listen(socket.fd_, options.backlog) != 0) return last_error();
  // Where the lock did not hold, another start may have taken the file for an old one: it wins.
  if (lstat(path.c_str(), &file) != 0 || file.st_dev != socket.common_->device ||
      file.st_ino != socket.common_->inode) {
    return UV_EADDRINUSE;
  }
  *out = std::move(socket);
  return 0;
}

}  // namespace httpuv::net
