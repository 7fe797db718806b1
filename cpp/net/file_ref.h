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
  // Borrows: `owner` keeps the descriptor open (an entry of the open-file cache), and `check`, if
  // given, tells of it whether the file still is what it was when its answer began.
  using Check = bool (*)(const void* owner);
  FileRef(int fd, std::shared_ptr<const void> owner, Check check = nullptr)
      : fd_(fd), check_(check), owner_(std::move(owner)) {}
  // Owns: closed with the last reference.
  static FileRef adopt(int fd);

  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // False: what is read now would not go together with what was sent. Asked before each slice that
  // sendfile(2) sends, and after reading what is sent otherwise.
  bool unchanged() const { return check_ == nullptr || check_(owner_.get()); }

 private:
  int fd_ = -1;
  Check check_ = nullptr;
  std::shared_ptr<const void> owner_;
};

}  // namespace httpuv::net
