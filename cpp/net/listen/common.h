// The shared state of a listening socket and its duplicates: its file, and whether a forked child
// may hold a copy.
//
// Thread: any; the duplicates may belong to several loops.
// Ownership: shared by the duplicates; the last one removes the file.
// Failure: none; a file that cannot be removed stays.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <string>

#include "net/listen/bind.h"

namespace httpuv::net {

struct ListenSocket::Common {
  Common() = default;
  ~Common();
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;

  std::string path;  // of the socket file, absolute; "" without one
  dev_t device = 0;  // of that file: no other is removed
  ino_t inode = 0;
  std::atomic<bool> copied{false};
};

}  // namespace httpuv::net
