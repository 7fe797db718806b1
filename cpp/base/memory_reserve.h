// Memory that is kept for the moment when there is none: what ends a connection then (to tell the
// application of it) finds some.
//
// Thread: its owner's. Ownership: owns its block. Failure: without memory it stays empty.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace httpuv::base {

class MemoryReserve {
 public:
  void refill() noexcept {
    if (block_ == nullptr) block_.reset(new (std::nothrow) char[kBytes]);
  }
  void spend() noexcept { block_.reset(); }
  [[nodiscard]] bool full() const { return block_ != nullptr; }

 private:
  static constexpr std::size_t kBytes = std::size_t{256} * 1024;
  std::unique_ptr<char[]> block_;
};

}  // namespace httpuv::base
