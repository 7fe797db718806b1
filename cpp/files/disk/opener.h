// Opens files below a directory, never outside it, however the tree changes meanwhile.
//
// Pool threads (every call may block); one object per request. Where Linux has openat2 it does the
// work; elsewhere the path is walked one component at a time without following links. Only regular
// files and directories come out: opening a FIFO or a device neither blocks nor succeeds.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <string>
#include <string_view>

#include "base/descriptor.h"

namespace httpuv::files {

struct Opened {
  base::Descriptor fd;  // for reading; invalid when error != 0
  struct stat status = {};
  int error = 0;  // errno; EXDEV: leads out of the root

  [[nodiscard]] bool is_file() const { return error == 0 && S_ISREG(status.st_mode); }
  [[nodiscard]] bool is_directory() const { return error == 0 && S_ISDIR(status.st_mode); }
};

// What was learnt about the kernel, shared by all threads.
struct OpenerState {
  std::atomic<bool> use_openat2{true};
};

class Opener {
 public:
  // `root` must be open as long as this lives; `leave_root` lets symbolic links lead out of it.
  Opener(int root, bool leave_root, OpenerState& state)
      : root_(root), leave_root_(leave_root), state_(state) {}

  // `path` is relative, without ".." segments; "" is the root itself.
  [[nodiscard]] Opened open(std::string_view path) const;

 private:
  int open_beneath(const std::string& path) const;
  int walk(const std::string& path) const;

  int root_;
  bool leave_root_;
  OpenerState& state_;
};

// Opens a directory that the operator named, to look up names in it. -1 with errno.
int open_root(const std::string& path);

// Whether the file system behind the path is on this machine: a stat of a file seen a moment ago
// needs no network.
bool is_local(const std::string& path);
bool is_local(int fd);

}  // namespace httpuv::files
