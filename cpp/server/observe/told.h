// A sum that is computed on request. Loop thread only.
#pragma once

#include <cstdint>
#include <utility>

namespace httpuv::server {

// A sum that is computed on request, and the part of it that was counted already.
struct Told {
  std::uint64_t closed = 0;  // of what is not there any more
  std::uint64_t told = 0;

  // The increment to count, if the current sum is `now`.
  std::uint64_t take(std::uint64_t now) {
    const std::uint64_t before = std::exchange(told, closed + now);
    return told - before;
  }
};

}  // namespace httpuv::server
