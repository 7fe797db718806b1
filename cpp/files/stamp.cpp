#include "files/stamp.h"

#include <sys/stat.h>

#include <ctime>

namespace httpuv::files {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * kSecond + time.tv_nsec;
}

}  // namespace

Stamp stamp_of(const struct stat& status) {
  Stamp stamp;
  stamp.device = static_cast<std::uint64_t>(status.st_dev);
  stamp.inode = static_cast<std::uint64_t>(status.st_ino);
  stamp.size = static_cast<std::uint64_t>(status.st_size);
#if defined(__APPLE__)
  stamp.modified_ns = nanoseconds(status.st_mtimespec);
  stamp.changed_ns = nanoseconds(status.st_ctimespec);
#else
  stamp.modified_ns = nanoseconds(status.st_mtim);
  stamp.changed_ns = nanoseconds(status.st_ctim);
#endif
  return stamp;
}

std::optional<Stamp> take_stamp(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return stamp_of(status);
}

bool is_fresh(const Stamp& stamp, std::int64_t now_ns) {
  // Linux stamps files with the time of its last tick, at most 10 ms ago; some file systems keep
  // whole seconds only (FAT: two of them).
  const bool coarse = stamp.changed_ns % kSecond == 0 && stamp.modified_ns % kSecond == 0;
  return now_ns - stamp.changed_ns < (coarse ? 2 * kSecond : kSecond / 50);
}

std::int64_t wall_clock_ns() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

}  // namespace httpuv::files
