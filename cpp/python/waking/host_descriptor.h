// The descriptor that a host loop (asyncio's, a GUI's) watches: a doorbell, and for some time the
// loop of a server.
//
// What: on Linux an epoll instance of both; elsewhere the doorbell's own descriptor.
// Thread: one at a time. Owner: a Queue. A forked child shares the epoll instance with its parent,
//   so nothing is shown there any more: forget().
// Failure: show() answers false where the system has no epoll, or no memory for it.
#pragma once

namespace httpuv::python {

class HostDescriptor {
 public:
  HostDescriptor() = default;
  ~HostDescriptor();
  HostDescriptor(const HostDescriptor&) = delete;
  HostDescriptor& operator=(const HostDescriptor&) = delete;

  // Throws std::system_error when descriptors run out.
  void open(int doorbell);
  [[nodiscard]] int fd() const { return fd_; }

  // From now on it is readable if this one is, too. Only one at a time.
  bool show(int fd);
  void hide();

  void forget();

 private:
  int fd_ = -1;
  int doorbell_ = -1;
  int shown_ = -1;
};

}  // namespace httpuv::python
