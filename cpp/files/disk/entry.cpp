#include "files/disk/entry.h"

#include <sys/stat.h>

namespace httpuv::files {

bool FileEntry::unchanged() const {
  if (in_memory) return true;
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return false;
  const Stamp now = stamp_of(status);
  // Not the time of the last status change: a file that is unlinked or replaced has a new one, and
  // the bytes behind our descriptor are the same.
  return now.size == stamp.size && now.modified == stamp.modified;
}

std::size_t FileEntry::memory() const {
  std::size_t total = sizeof(*this) + content.capacity() + etag.capacity() +
                      content_type.capacity() + fields.capacity() + fields_304.capacity();
  for (const auto& variant : variants) {
    if (variant != nullptr) total += variant->memory();
  }
  return total;
}

std::size_t FileEntry::descriptors() const {
  std::size_t total = fd.valid() ? 1 : 0;
  for (const auto& variant : variants) {
    if (variant != nullptr) total += variant->descriptors();
  }
  return total;
}

}  // namespace httpuv::files
