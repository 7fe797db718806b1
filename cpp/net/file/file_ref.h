// An open regular file that several responses may be sending.
//
// What: a descriptor and whatever keeps it open. Every read names its offset, so sharing is free
//   of races.
// Thread: made anywhere, used on the loop thread.
// Ownership: shared; the last one to go closes (or lets the owner close).
// Failure: none.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace httpuv::net {

class FileRef {
 public:
  FileRef() = default;
  // Borrows: `owner` keeps the descriptor open (an entry of the open-file cache), and `check`, if
  // given, tells of it whether the file still is what it was when its answer began.
  using Check = bool (*)(const void* owner);
  // `device`: the st_dev of the file, 0 if it is not known.
  FileRef(int fd, std::uint64_t device, std::shared_ptr<const void> owner, Check check = nullptr)
      : fd_(fd), device_(device), check_(check), owner_(std::move(owner)) {}
  // Owns: closed with the last reference.
  static FileRef adopt(int fd, std::uint64_t device);

  int fd() const { return fd_; }
  std::uint64_t device() const { return device_; }
  explicit operator bool() const { return fd_ >= 0; }
  // False: what is read now would not go together with what was sent. Asked before each slice that
  // sendfile(2) sends, and after reading what is sent otherwise.
  bool unchanged() const { return check_ == nullptr || check_(owner_.get()); }

 private:
  int fd_ = -1;
  std::uint64_t device_ = 0;
  Check check_ = nullptr;
  std::shared_ptr<const void> owner_;
};

}  // namespace httpuv::net
