// What tells one state of a file from another without reading it.
//
// Plain data; any thread. take_stamp() calls stat, which may block where the disk is slow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

struct stat;

namespace httpuv::files {

struct Stamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970; what the owner may set
  std::int64_t changed_ns = 0;   // what the kernel sets

  bool operator==(const Stamp&) const = default;
};

Stamp stamp_of(const struct stat& status);

// Of what the path leads to now, links followed; nothing when there is no such file.
std::optional<Stamp> take_stamp(const std::string& path);

// Whether the file was changed so short a time ago that another change might leave the stamp as it
// is (the kernel's clock for files ticks every few milliseconds).
bool is_fresh(const Stamp& stamp, std::int64_t now_ns);

// Nanoseconds since 1970.
std::int64_t wall_clock_ns();

}  // namespace httpuv::files
