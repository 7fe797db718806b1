#include "files/disk/stamp.h"

#include <sys/stat.h>

#include <ctime>

namespace httpuv::files {
namespace {

FileTime file_time(const timespec& time) {
  return {static_cast<std::int64_t>(time.tv_sec), static_cast<std::int32_t>(time.tv_nsec)};
}

// A time of the file before this one cannot be that of a later change, too: Linux stamps files with
// the time of its last tick, at most 10 ms ago; some file systems keep whole seconds only (FAT:
// two).
FileTime settled_since(const Stamp& stamp, const FileTime& now) {
  const bool coarse = stamp.changed.nanoseconds == 0 && stamp.modified.nanoseconds == 0;
  if (coarse) return {now.seconds - 2, now.nanoseconds};
  constexpr std::int32_t kTick = 20'000'000;
  if (now.nanoseconds >= kTick) return {now.seconds, now.nanoseconds - kTick};
  return {now.seconds - 1, now.nanoseconds + 1'000'000'000 - kTick};
}

}  // namespace

Stamp stamp_of(const struct stat& status) {
  Stamp stamp;
  stamp.device = static_cast<std::uint64_t>(status.st_dev);
  stamp.inode = static_cast<std::uint64_t>(status.st_ino);
  stamp.size = static_cast<std::uint64_t>(status.st_size);
#if defined(__APPLE__)
  stamp.modified = file_time(status.st_mtimespec);
  stamp.changed = file_time(status.st_ctimespec);
#else
  stamp.modified = file_time(status.st_mtim);
  stamp.changed = file_time(status.st_ctim);
#endif
  return stamp;
}

std::optional<Stamp> take_stamp(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return stamp_of(status);
}

std::uint64_t device_of(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_dev) : 0;
}

bool is_fresh(const Stamp& stamp, const FileTime& now) {
  return stamp.changed > settled_since(stamp, now);
}

bool is_written_just_now(const Stamp& stamp, const FileTime& now) {
  return stamp.modified > settled_since(stamp, now) && stamp.modified <= now;
}

FileTime wall_clock() {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  return file_time(now);
}

}  // namespace httpuv::files
