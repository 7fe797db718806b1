#include "files/cache/absences.h"

#include <algorithm>
#include <utility>

namespace httpuv::files {
namespace {

// Deeper names are not looked for: the effort for one path stays bounded.
constexpr int kMaxDepth = 8;

}  // namespace

void Absences::add(Absence&& absence) {
  const auto known = index_.find({absence.route, absence.name, Aim::kFile});
  if (known != index_.end()) remove(*known->second);
  items_.push_front(std::move(absence));
  index_.emplace(NodeKey{items_.front().route, items_.front().name, Aim::kFile}, items_.begin());
  if (items_.size() > limit_) remove(Absence(items_.back()));
}

Absence* Absences::find(const Route* route, std::string_view rest) {
  if (index_.empty()) return nullptr;
  std::size_t end = 0;
  for (int depth = 0; depth < kMaxDepth && end < rest.size(); ++depth) {
    end = std::min(rest.find('/', end == 0 ? 0 : end + 1), rest.size());
    const auto found = index_.find({route, rest.substr(0, end), Aim::kFile});
    if (found == index_.end()) continue;
    items_.splice(items_.begin(), items_, found->second);
    return &items_.front();
  }
  return nullptr;
}

void Absences::remove(const Absence& absence) {
  const auto found = index_.find({absence.route, absence.name, Aim::kFile});
  if (found == index_.end()) return;
  const Items::iterator item = found->second;
  index_.erase(found);
  items_.erase(item);
}

void Absences::clear() {
  index_.clear();
  items_.clear();
}

}  // namespace httpuv::files
