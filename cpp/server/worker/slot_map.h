// Owns objects under small numbers with a generation: a reused slot has a new generation, so an old
// id finds nothing. Loop thread only.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "server/message/connection_id.h"
#include "server/worker/team.h"

namespace httpuv::server {

template <class T>
class SlotMap {
 public:
  // Of several maps: the upper bits of the slots that it gives (see team.h).
  void set_worker(unsigned index) { worker_ = index << kSlotBits; }

  // The id that the next `put` gives its object. Nothing is taken before, so that an object which
  // cannot be made leaves no gap. Room for taking it out again is made here: take() never fails.
  ConnectionId reserve() {
    if (free_.empty()) {
      if (free_.capacity() <= slots_.size()) free_.reserve(2 * slots_.size() + 8);
      slots_.emplace_back();
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t slot = free_.back();
    return {worker_ | slot, slots_[slot].generation};
  }

  void put(ConnectionId id, std::unique_ptr<T> object) {
    free_.pop_back();
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
