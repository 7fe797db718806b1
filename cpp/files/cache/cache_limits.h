// How much the open-file cache may hold. Plain data, fixed when the service is made.
#pragma once

#include <cstddef>
#include <cstdint>

namespace httpuv::files {

struct CacheLimits {
  std::size_t entries = 20'000;
  std::size_t absent = 4'096;                           // paths known to lead nowhere
  std::size_t bytes = std::size_t{64} * 1024 * 1024;    // of content and bookkeeping
  std::size_t descriptors = 20'000;                     // at most a quarter of the process's limit
  std::uint64_t small_file = std::uint64_t{64} * 1024;  // kept in memory whole, up to here
  std::uint64_t gzip_file = std::uint64_t{4} * 1024 * 1024;  // compressed on the fly, up to here
  std::int64_t in_core_ms = 1'000;  // checked so short a time ago: a stat surely needs no disk
  bool use_openat2 = true;          // false: the portable way
};

}  // namespace httpuv::files
