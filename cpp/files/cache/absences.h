// Remembers names that do not exist, so that requests below them need no file system. An
// application behind a static path with fallthrough has many such paths.
//
// Loop thread only; owned by the cache. Bounded; the least recently used go first. An absence holds
// as long as the directory that lacks the name is unchanged.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "files/cache/node.h"

namespace httpuv::files {

struct Absence {
  const Route* route = nullptr;
  std::string name;  // the leading part of a path below the route
  Resolution resolution;
  Watches watches;
};

class Absences {
 public:
  explicit Absences(std::size_t limit) : limit_(limit) {}

  void add(Absence&& absence);

  // One that covers the path, or null. The pointer is good until the next call of anything here.
  Absence* find(const Route* route, std::string_view rest);
  void remove(const Absence& absence);
  void clear();

  [[nodiscard]] std::size_t size() const { return index_.size(); }

 private:
  using Items = std::list<Absence>;  // newest first

  std::size_t limit_;
  Items items_;
  std::unordered_map<NodeKey, Items::iterator, NodeKeyHash> index_;
};

}  // namespace httpuv::files
