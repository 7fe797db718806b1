#include "files/cache/watch.h"

#include <algorithm>
#include <utility>

namespace httpuv::files {

void WatchSet::begin_round(std::int64_t now_ms) {
  now_ms_ = now_ms;
  ++round_;
}

Watches WatchSet::watch(std::vector<Witness>&& witnesses) {
  Watches watches;
  watches.reserve(witnesses.size());
  for (Witness& witness : witnesses) {
    if (witness.directory) {
      watches.push_back(share(std::move(witness)));
    } else {
      watches.push_back(std::make_shared<Watch>());
      watches.back()->witness = std::move(witness);
    }
    watches.back()->seen_ms = now_ms_;
  }
  return watches;
}

std::shared_ptr<Watch> WatchSet::share(Witness&& witness) {
  std::weak_ptr<Watch>& place = directories_[witness.path];
  std::shared_ptr<Watch> old = place.lock();
  if (old != nullptr && !old->broken && old->witness.stamp == witness.stamp) return old;
  // Holders of the old one, if any, keep it; its next look breaks it.
  std::shared_ptr<Watch> watch(new Watch, [this](Watch* gone) { forget(gone); });
  watch->witness = std::move(witness);
  place = watch;
  return watch;
}

void WatchSet::forget(Watch* watch) {
  const auto found = directories_.find(watch->witness.path);
  if (found != directories_.end() && found->second.expired()) directories_.erase(found);
  delete watch;
}

bool WatchSet::quick(const Watches& watches) const {
  return std::all_of(watches.begin(), watches.end(), [this](const auto& watch) {
    if (watch->broken || watch->round == round_) return true;
    return watch->witness.local && now_ms_ - watch->seen_ms < in_core_ms_;
  });
}

bool WatchSet::hold(const Watches& watches) {
  return std::all_of(watches.begin(), watches.end(),
                     [this](const auto& watch) { return holds(*watch); });
}

bool WatchSet::holds(Watch& watch) {
  if (watch.broken || watch.round == round_) return !watch.broken;
  ++checks_;
  watch.broken = take_stamp(watch.witness.path) != watch.witness.stamp;
  watch.round = round_;
  watch.seen_ms = now_ms_;
  return !watch.broken;
}

void WatchSet::confirm(const Watches& watches) {
  for (const auto& watch : watches) watch->seen_ms = now_ms_;
}

}  // namespace httpuv::files
