// Owns objects under small numbers that are never mistaken for their successors: a slot that is
// used again gets another generation. Loop thread only. A stale id finds nothing.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "server/message.h"

namespace httpuv::server {

template <class T>
class SlotMap {
 public:
  // Reserves an id; `put` fills it.
  ConnectionId reserve() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return {slot, slots_[slot].generation};
  }

  void put(ConnectionId id, std::unique_ptr<T> object) {
    slots_[id.slot].object = std::move(object);
    ++size_;
  }

  [[nodiscard]] T* find(ConnectionId id) const {
    if (id.slot >= slots_.size()) return nullptr;
    const Slot& slot = slots_[id.slot];
    return slot.generation == id.generation ? slot.object.get() : nullptr;
  }

  // Takes the object out; its id names nothing from now on.
  std::unique_ptr<T> take(ConnectionId id) {
    Slot& slot = slots_[id.slot];
    ++slot.generation;
    free_.push_back(id.slot);
    --size_;
    return std::move(slot.object);
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  // Calls f(T&) for each; f may not add or take.
  template <class F>
  void each(F&& f) {
    for (Slot& slot : slots_) {
      if (slot.object) f(*slot.object);
    }
  }

 private:
  struct Slot {
    std::unique_ptr<T> object;
    std::uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace httpuv::server
