// Listening sockets, before any loop knows them.
//
// What: socket, bind and listen, so that a start-up error is an error number on the thread that
//   asked.
// Thread: any; resolve() and bind_unix() may block, so not the loop thread.
// Ownership: a ListenSocket owns its descriptor (and its socket file) until a Listener takes it.
// Failure: negative libuv error numbers. After a failure nothing is left behind: no descriptor,
//   no socket file.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/listen/address.h"

namespace httpuv::net {

// How sockets are bound.
struct BindOptions {
  int backlog = 4096;       // connections that wait to be accepted; the kernel clamps it
                            // (Linux: net.core.somaxconn)
  bool reuse_port = false;  // SO_REUSEPORT: others of the user may bind the same port
};

class ListenSocket {
 public:
  ListenSocket() = default;
  ListenSocket(ListenSocket&& other) noexcept;
  ListenSocket& operator=(ListenSocket&& other) noexcept;
  ~ListenSocket();  // closes, and removes its own socket file

  int fd() const { return fd_; }
  bool is_unix() const { return unix_; }
  // Whether it was open before: other processes may listen on it, too.
  bool adopted() const { return adopted_; }
  // What the kernel says: "127.0.0.1" and the real port; "" and 0 for a Unix socket.
  const std::string& host() const { return host_; }
  int port() const { return port_; }
  // The socket file, an absolute path; "" for TCP, abstract names and inherited sockets.
  const std::string& path() const { return path_; }

  // For Listener.
  void close();
  void stop_sharing();  // shutdown(2): a forked child's copy must not go on listening

 private:
  friend int bind_tcp(const std::string& host, int port, std::vector<ListenSocket>* out,
                      std::string* failed, const BindOptions& options);
  friend int bind_unix(const std::string& path, std::optional<mode_t> mask, ListenSocket* out,
                       const BindOptions& options);
  friend int adopt_listener(int fd, ListenSocket* out);
  void read_name();

  int fd_ = -1;
  bool unix_ = false;
  bool adopted_ = false;
  int port_ = 0;
  dev_t device_ = 0;  // of the socket file: only our own is removed
  ino_t inode_ = 0;
  std::string host_;
  std::string path_;
};

// Binds every address `host` stands for, all to the same port; port 0 picks a free one.
// SO_REUSEADDR is on; "::" also takes IPv4. Of a name's several addresses those of a family this
// machine lacks are skipped. On failure *failed (if not null) names the address.
int bind_tcp(const std::string& host, int port, std::vector<ListenSocket>* out,
             std::string* failed = nullptr, const BindOptions& options = {});

// Binds a Unix socket whose file has all permissions but those in `mask` (none: the process's
// umask, which is not changed in any case). A socket file that no process listens on is replaced,
// by one of several starts at most; UV_EADDRINUSE if a process does or if it is any other kind of
// file; UV_ENAMETOOLONG past the system's limit (about 107 bytes). A name that begins with NUL is
// an abstract one (Linux): it has no file, and UV_EINVAL says that it can have no mask.
int bind_unix(const std::string& path, std::optional<mode_t> mask, ListenSocket* out,
              const BindOptions& options = {});

// Takes a socket that already listens (systemd, a parent process). Its file, if any, is not
// removed.
int adopt_listener(int fd, ListenSocket* out);

}  // namespace httpuv::net
