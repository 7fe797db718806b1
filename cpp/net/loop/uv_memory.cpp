#include "net/loop/uv_memory.h"

#include <uv.h>

#include <atomic>
#include <cstdlib>

namespace httpuv::net {

namespace {

// The table for 64 Ki descriptors. Untouched, it is address space and nothing else.
constexpr std::size_t kReserve = std::size_t{64} * 1024 * sizeof(void*);

std::atomic<void*> reserve{nullptr};

void keep_reserve() noexcept {
  if (reserve.load(std::memory_order_relaxed) != nullptr) return;
  void* const block = std::malloc(kReserve);
  void* expected = nullptr;
  if (!reserve.compare_exchange_strong(expected, block)) std::free(block);
}

}  // namespace

void* reallocate_with_reserve(void* block, std::size_t size) noexcept {
  if (void* const grown = std::realloc(block, size)) {
    keep_reserve();
    return grown;
  }
  if (size == 0) return nullptr;
  std::free(reserve.exchange(nullptr));
  return std::realloc(block, size);
}

void reserve_uv_memory() {
  static const bool replaced = [] {
    return uv_replace_allocator(&std::malloc, &reallocate_with_reserve, &std::calloc, &std::free) ==
           0;
  }();
  static_cast<void>(replaced);
  keep_reserve();
}

}  // namespace httpuv::net
