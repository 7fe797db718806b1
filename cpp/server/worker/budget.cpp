#include "server/worker/budget.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace httpuv::server {

std::uint64_t Budget::used(Held kind) const {
  switch (kind) {
    case Held::kCommands:
      return commands_ != nullptr ? commands_->load(std::memory_order_relaxed) : 0;
    case Held::kLog:
      return log_ != nullptr ? log_->bytes.load(std::memory_order_relaxed) : 0;
    default:
      return Ledger::used(kind_of(kind));
  }
}

std::uint64_t Budget::memory() const {
  return used(Held::kCommands) + used(Held::kLog) +
         Ledger::used(kind_of(Held::kHeads), kind_of(Held::kSpooling));
}

std::uint64_t Budget::used_by_all(Held kind) const {
  std::uint64_t sum = used(kind);
  for (const Budget* const other : others_) sum += other->used(kind);
  return sum;
}

std::uint64_t Budget::memory_of_all() const {
  std::uint64_t sum = memory();
  for (const Budget* const other : others_) sum += other->memory();
  return sum;
}

Budget::Room Budget::room_for_body(std::uint64_t bytes, std::uint64_t there, std::uint64_t all,
                                   bool on_disk) const {
  const auto room = [](std::uint64_t limit, std::uint64_t used, std::uint64_t more,
                       std::uint64_t whole) {
    if (whole > limit) return Room::kNever;
    return used <= limit && more <= limit - used ? Room::kNow : Room::kLater;
  };
  const Room together =
      room(bounds_.bodies, used_by_all(Held::kBodies) + used_by_all(Held::kSpooled), bytes, all);
  const Room here = on_disk ? room(bounds_.disk, used_by_all(Held::kSpooled), there, all)
                            : room(bounds_.memory, memory_of_all(), there, all);
  return std::max(together, here);
}

std::uint64_t default_disk_bytes(const std::string& folder) {
  constexpr std::uint64_t kMost = std::uint64_t{8} << 30;
  struct statvfs disk;
  if (::statvfs(folder.c_str(), &disk) != 0) return kMost;
  return std::min(kMost, std::uint64_t{disk.f_bavail} * disk.f_frsize / 2);
}

}  // namespace httpuv::server
