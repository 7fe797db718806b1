// An open regular file that several responses may be sending.
//
// What: a descriptor and whatever keeps it open. Every read names its offset, so sharing is free
//   of races.
// Thread: made anywhere, used on the loop thread.
// Ownership: shared; the last one to go closes (or lets the owner close).
// Failure: none.
#pragma once

#include <memory>
#include <utility>

namespace httpuv::net {

class FileRef {
 public:
  FileRef() = default;
  // Borrows: `owner` keeps the descriptor open (an entry of the open-file cache).
  FileRef(int fd, std::shared_ptr<const void> owner) : fd_(fd), owner_(std::move(owner)) {}
  // Owns: closed with the last reference.
  static FileRef adopt(int fd);

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
  std::shared_ptr<const void> owner_;
};

}  // namespace httpuv::net
