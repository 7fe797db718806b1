#include "base/spare_strings.h"

#include <utility>

namespace httpuv::base {

// One of them, or a new one.
std::string SpareStrings::find() {
  std::string found;
  if (!busy_.test_and_set(std::memory_order_acquire)) {
    if (const std::size_t count = this->count(); count > 0) {
      found = std::move(spare_[count - 1]);
      count_.store(count - 1, std::memory_order_relaxed);
    }
    busy_.clear(std::memory_order_release);
  }
  found.reserve(kSize);
  return found;
}

std::string SpareStrings::take() {
  std::string found = find();
  found.clear();
  return found;
}

// Sets only those bytes that its last user did not use.
std::string SpareStrings::take_whole() {
  std::string found = find();
  found.resize(kSize);
  return found;
}

void SpareStrings::give(std::string&& used) noexcept {
  std::string freed = std::move(used);
  if (freed.capacity() != kSize) return;
  if (busy_.test_and_set(std::memory_order_acquire)) return;
  if (const std::size_t count = this->count(); count < kMost) {
    spare_[count] = std::move(freed);
    count_.store(count + 1, std::memory_order_relaxed);
  }
  busy_.clear(std::memory_order_release);
}

SpareStrings& spare_strings() {
  // Not destroyed: a thread may outlive the statics.
  static SpareStrings& strings = *new SpareStrings;
  return strings;
}

}  // namespace httpuv::base
