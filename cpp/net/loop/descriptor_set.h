// Which descriptors a loop owns, for the sake of fork().
//
// What: a bitmap of descriptor numbers, readable in a forked child while the loop thread, which
//   does not exist there, may have been anywhere. The child closes what is marked with close(2)
//   and nothing else.
// Thread: add/remove on the loop thread, hold()/release() on the thread that forks, close_all()
//   in the child only.
// Ownership: one per Loop; descriptors are marked between their creation and their closing.
// Failure: add() answers false where the number is beyond what the set can hold (2^21) or memory
//   is out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace httpuv::net {

class DescriptorSet {
 public:
  DescriptorSet() = default;
  ~DescriptorSet();
  DescriptorSet(const DescriptorSet&) = delete;
  DescriptorSet& operator=(const DescriptorSet&) = delete;

  bool add(int fd) noexcept;
  void remove(int fd) noexcept;
  bool contains(int fd) const noexcept;

  // While a thread forks it holds the set, so that no descriptor is between accept(2) and its mark,
  // or between losing its mark and close(2), when the child's copy is made. The loop takes the same
  // lock around exactly those two.
  void hold() { gate_.lock(); }
  void release() { gate_.unlock(); }
  std::mutex& gate() { return gate_; }

  // In a forked child: closes every marked descriptor and forgets it. Only async-signal-safe calls.
  void close_all() noexcept;

 private:
  static constexpr std::size_t kWordsPerPage = 512;  // 32,768 descriptors, 4 KiB
  static constexpr std::size_t kPages = 64;
  using Page = std::array<std::atomic<std::uint64_t>, kWordsPerPage>;

  std::array<std::atomic<Page*>, kPages> pages_{};
  std::mutex gate_;
};

}  // namespace httpuv::net
