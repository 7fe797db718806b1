// Accepts connections on one listening socket.
//
// What: watches the socket, accepts in bursts that grow while connections keep waiting, and
//   hands each on.
// Thread: the loop thread alone.
// Ownership: owns the socket. Destroying it (also inside on_connection) closes the socket at
//   once, removes its own socket file unless it was shared, and lets the loop's run() return once
//   libuv has closed it.
// Failure: open() answers a negative libuv error number. Out of descriptors (EMFILE, ENFILE) a
//   connection is taken with the one kept in reserve and closed, so that clients learn it at once
//   and the loop never spins; on_overload says so, at most once a second.
#pragma once

#include <functional>
#include <memory>

#include "net/listen/accepted.h"
#include "net/listen/bind.h"

namespace httpuv::net {

class Loop;

class Listener {
 public:
  static std::unique_ptr<Listener> open(Loop& loop, ListenSocket&& socket,
                                        std::function<void(Accepted&&)> on_connection, int* error);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // While paused, connections wait in the kernel's backlog.
  void pause();
  void resume();
  bool paused() const;

  const ListenSocket& socket() const;
  // Another descriptor of the socket, for a listener of another loop. 0 or an error.
  int share(ListenSocket* out);

  std::function<void(int error)> on_overload;  // optional

 private:
  class Watch;  // lives until libuv has closed the handle
  explicit Listener(Watch* watch);
  Watch* watch_;
};

}  // namespace httpuv::net
