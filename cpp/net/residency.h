// Remembers for a second which parts of which files were found in memory.
//
// What: asking the kernel about every page of a range costs as much as sending some of them, and a
//   busy file is asked about all the time. Within the second only the last byte is tried, which
//   finds a file that was evicted as a whole.
// Thread: the loop thread.
// Ownership: a member of the loop. Knows descriptors by number only: one that was closed and used
//   for another file may be believed resident for a second; at worst one slice waits for the disk.
// Failure: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace httpuv::net {

class Residency {
 public:
  // As is_resident() of file_slice.h.
  bool check(int file, std::uint64_t offset, std::size_t length, std::int64_t now_ms);

 private:
  struct Known {
    int file = -1;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::int64_t until_ms = 0;
  };
  std::array<Known, 64> known_;
};

}  // namespace httpuv::net
