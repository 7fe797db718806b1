#include "net/file/residency.h"

#include <algorithm>

#include "net/file/file_slice.h"

namespace httpuv::net {

namespace {

constexpr std::int64_t kRememberMs = 1000;

bool holds_byte(int file, std::uint64_t offset) {
  char byte = 0;
  return read_resident(file, offset, &byte, 1) == 1;
}

}  // namespace

Residency::Residency() : kernel_{is_resident, holds_byte} {}

bool Residency::check(int file, std::uint64_t offset, std::size_t length, std::int64_t now_ms) {
  Known& known = known_[static_cast<std::size_t>(file) % known_.size()];
  const std::uint64_t end = offset + length;
  const bool fresh = known.file == file && now_ms < known.until_ms;
  if (fresh && known.begin <= offset && end <= known.end) {
    if (kernel_.holds_byte(file, end - 1)) return true;
  }
  if (!kernel_.holds_range(file, offset, length)) {
    if (fresh) known.until_ms = 0;
    return false;
  }
  if (fresh && known.begin <= offset && offset <= known.end) {
    known.end = std::max(known.end, end);
  } else {
    known = {file, offset, end, now_ms + kRememberMs};
  }
  return true;
}

}  // namespace httpuv::net
