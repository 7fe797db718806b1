// The stamp of a file: it distinguishes states of a file without reading it.
//
// Plain data; any thread. take_stamp() calls stat, which may block where the disk is slow.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace httpuv::files {

// Since 1970-01-01T00:00:00Z. Seconds and nanoseconds apart, because file systems keep times that
// 64 bits of nanoseconds (1677 to 2262) cannot.
struct FileTime {
  std::int64_t seconds = 0;
  std::int32_t nanoseconds = 0;  // 0 to 999,999,999, also before 1970

  auto operator<=>(const FileTime&) const = default;
};

struct Stamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  FileTime modified;  // what the owner may set
  FileTime changed;   // what the kernel sets

  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const struct stat& status);

// Of what the path leads to now, links followed; nothing when there is no such file.
std::optional<Stamp> take_stamp(const std::string& path);

// The device (st_dev) that the path is on; 0 when there is nothing. Calls stat.
std::uint64_t device_of(const std::string& path);

// Whether the file was changed so short a time ago that another change might leave the stamp as it
// is (the kernel's clock for files ticks every few milliseconds).
bool is_fresh(const Stamp& stamp, const FileTime& now);

// The same for its content alone: another write might leave the time of modification as it is.
bool is_written_just_now(const Stamp& stamp, const FileTime& now);

FileTime wall_clock();

}  // namespace httpuv::files
