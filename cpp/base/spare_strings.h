// Strings with memory for 64 KiB, which are used again instead of being freed.
//
// What: malloc() gives the free end of its heap back to the system when that end is large. It takes
//   the memory again for the next buffer, and each page then costs a page fault. Whether this
//   happens depends on all that the process has allocated before. So the buffers of large messages
//   and of pieces of streams come from here and return to here. All have the same size, and their
//   number is bounded.
// Thread: any. No call waits: if another thread is in here, malloc() and free() are used. That is
//   also the case for good in a child that was forked at such a moment.
// Owner: of the spare strings. Failure: std::bad_alloc.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <string>

namespace httpuv::base {

class SpareStrings {
 public:
  // 64 KiB, and room for what frames them.
  static constexpr std::size_t kSize = std::size_t{64} * 1024 + 62;
  static constexpr std::size_t kMost = 128;

  // Whether a string for so many bytes has this size: at least half of it is used then.
  [[nodiscard]] static bool serves(std::size_t bytes) {
    return bytes > kSize / 2 && bytes <= kSize;
  }

  SpareStrings() = default;
  SpareStrings(const SpareStrings&) = delete;
  SpareStrings& operator=(const SpareStrings&) = delete;

  // An empty string with room for kSize bytes.
  [[nodiscard]] std::string take();
  // A string of kSize bytes, which may have any value: for what is read.
  [[nodiscard]] std::string take_whole();
  // Keeps the memory of the string if it has that size, and frees it otherwise.
  void give(std::string&& used) noexcept;

  [[nodiscard]] std::size_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::string find();

  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  std::atomic<std::size_t> count_ = 0;
  std::array<std::string, kMost> spare_{};
};

// Those of the process.
SpareStrings& spare_strings();

}  // namespace httpuv::base
