// A piece of a file that is not in memory, on its way there for a stream.
//
// What: a read on a disk thread that owns what it touches, so that it may outlive the stream and
//   the loop.
// Thread: the loop thread. Ownership: shared by the stream and the job; a stream that ends
// abandons it. Failure: result() is a negative libuv error number.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "net/file/file_ref.h"
#include "net/loop/loop.h"

namespace httpuv::net {

class DiskRead {
 public:
  using Done = std::function<void(DiskRead&)>;

  // Reads `length` bytes from `offset`, into the page cache only unless `keep`. `done` is called
  // later, on the loop thread, unless it was abandoned.
  static std::shared_ptr<DiskRead> start(Loop& loop, FileRef file, std::uint64_t offset,
                                         std::size_t length, bool keep, Done done);
  DiskRead(FileRef file, std::uint64_t offset, std::size_t length, bool keep, Done done);

  void abandon() { done_ = nullptr; }

  [[nodiscard]] const FileRef& file() const { return file_; }
  // Where the range ends that was asked for.
  [[nodiscard]] std::uint64_t end() const { return offset_ + length_; }
  // How many bytes there are, or an error.
  [[nodiscard]] ssize_t result() const { return result_; }
  // Null: into the page cache only.
  [[nodiscard]] std::unique_ptr<char[]> take() { return std::move(into_); }
  [[nodiscard]] bool kept() const { return into_ != nullptr; }

 private:
  void read();

  const FileRef file_;
  const std::uint64_t offset_;
  const std::size_t length_;
  std::unique_ptr<char[]> into_;
  Done done_;  // of the loop thread
  ssize_t result_ = 0;
};

}  // namespace httpuv::net
