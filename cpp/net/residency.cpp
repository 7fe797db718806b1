#include "net/residency.h"

#include <algorithm>

#include "net/file_slice.h"

namespace httpuv::net {

namespace {

constexpr std::int64_t kRememberMs = 1000;

}  // namespace

bool Residency::check(int file, std::uint64_t offset, std::size_t length, std::int64_t now_ms) {
  Known& known = known_[static_cast<std::size_t>(file) % known_.size()];
  const std::uint64_t end = offset + length;
  const bool fresh = known.file == file && now_ms < known.until_ms;
  if (fresh && known.begin <= offset && end <= known.end) {
    char last = 0;
    if (read_resident(file, end - 1, &last, 1) == 1) return true;
  }
  if (!is_resident(file, offset, length)) {
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
