// Owns objects under small numbers with a generation: a reused slot has a new generation, so an old
// id finds nothing. Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "server/message.h"
#include "server/team.h"

namespace httpuv::server {

template <class T>
class SlotMap {
 public:
  // Of several maps: the upper bits of the slots that it gives (see team.h).
  void set_worker(unsigned index) { worker_ = index << kSlotBits; }

  // Reserves an id; `put` fills it.
  ConnectionId reserve() {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return {worker_ | slot, slots_[slot].generation};
  }

  void put(ConnectionId id, std::unique_ptr<T> object) {
    slots_[id.slot & kSlotMask].object = std::move(object);
    ++size_;
  }

  [[nodiscard]] T* find(ConnectionId id) const {
    const std::uint32_t index = id.slot ^ worker_;  // out of range for those of other workers
    if (index >= slots_.size()) return nullptr;
    const Slot& slot = slots_[index];
    return slot.generation == id.generation ? slot.object.get() : nullptr;
  }

  // Takes the object out; its id names nothing from now on.
  std::unique_ptr<T> take(ConnectionId id) {
    Slot& slot = slots_[id.slot & kSlotMask];
    ++slot.generation;
    free_.push_back(id.slot & kSlotMask);
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
  std::uint32_t worker_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::size_t size_ = 0;
};

}  // namespace httpuv::server
