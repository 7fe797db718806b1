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
  // The kernel's answers. A test gives its own, since the page cache belongs to the system.
  struct Kernel {
    bool (*holds_range)(int file, std::uint64_t offset, std::size_t length);
    bool (*holds_byte)(int file, std::uint64_t offset);
  };
  Residency();
  void set_kernel(const Kernel& kernel) { kernel_ = kernel; }

  // As is_resident() of file_slice.h.
  bool check(int file, std::uint64_t offset, std::size_t length, std::int64_t now_ms);

 private:
  struct Known {
    int file = -1;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::int64_t until_ms = 0;
  };
  Kernel kernel_;
  std::array<Known, 64> known_;
};

}  // namespace httpuv::net
