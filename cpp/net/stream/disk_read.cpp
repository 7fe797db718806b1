#include "net/stream/disk_read.h"

#include "net/file/file_slice.h"

namespace httpuv::net {

DiskRead::DiskRead(FileRef file, std::uint64_t offset, std::size_t length, bool keep, Done done)
    : file_(std::move(file)),
      offset_(offset),
      length_(length),
      into_(keep ? std::make_unique_for_overwrite<char[]>(length) : nullptr),
      done_(std::move(done)) {}

std::shared_ptr<DiskRead> DiskRead::start(Loop& loop, FileRef file, std::uint64_t offset,
                                          std::size_t length, bool keep, Done done) {
  auto read = std::make_shared<DiskRead>(std::move(file), offset, length, keep, std::move(done));
  loop.work_on_disk(
      read->file_.device(), [read] { read->read(); },
      [read](bool ran) {
        if (!ran) read->result_ = UV_ENOMEM;
        // It may abandon itself, or end what owns it.
        if (const Done done = std::exchange(read->done_, nullptr)) done(*read);
      });
  return read;
}

void DiskRead::read() {
  result_ = into_ == nullptr ? warm(file_.fd(), offset_, length_)
                             : read_blocking(file_.fd(), offset_, into_.get(), length_);
}

}  // namespace httpuv::net
