// Listening sockets, before any loop knows them.
//
// What: socket, bind and listen, so that a start-up error is an error number on the thread that
//   asked.
// Thread: any; resolve() and bind_unix() may block, so not the loop thread.
// Ownership: a ListenSocket owns its descriptor until a Listener takes it. Its socket file belongs
// to
//   it and to its duplicates together: the last of them removes it.
// Failure: negative libuv error numbers. After a failure nothing is left behind: no descriptor,
//   no socket file.
#pragma once

#include <sys/stat.h>

#include <memory>
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
  ~ListenSocket();  // as close()

  int fd() const { return fd_; }
  bool is_unix() const { return unix_; }
  // Whether it was open before: other processes may listen on it, too.
  bool adopted() const { return adopted_; }
  // What the kernel says: "127.0.0.1" and the real port; "" and 0 for a Unix socket.
  const std::string& host() const { return host_; }
  int port() const { return port_; }
  // The socket file, an absolute path; "" for TCP, abstract names and inherited sockets.
  const std::string& path() const;

  // Another descriptor of the same socket: both have one backlog. 0 or an error.
  int duplicate(ListenSocket* out) const;
  // The process has forked: a child may hold a copy.
  void set_copied();
  // Closes. The last of its duplicates removes the socket file, and makes a forked child's copy
  // stop listening with shutdown(2), unless others were given the socket.
  void close();

 private:
  friend int bind_tcp(const std::string& host, int port, std::vector<ListenSocket>* out,
                      std::string* failed, const BindOptions& options);
  friend int bind_unix(const std::string& path, std::optional<mode_t> mask, ListenSocket* out,
                       const BindOptions& options);
  friend int adopt_listener(int fd, ListenSocket* out);
  void read_name();
  struct Common;  // what duplicates have in common

  int fd_ = -1;
  bool unix_ = false;
  bool adopted_ = false;
  int port_ = 0;
  std::string host_;
  std::shared_ptr<Common> common_;
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
