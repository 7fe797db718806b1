// Owns the nodes of the cache, finds them by path, and removes the least recently used when there
// are too many, or too many bytes or descriptors in them.
//
// Loop thread only; owned by the cache. Only nodes without waiting requests are removed.
// More than 25 members and methods, because it counts entries, bytes and descriptors, and tells
// each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "files/cache/cache_limits.h"
#include "files/cache/node.h"

namespace httpuv::files {

class NodeStore {
 public:
  explicit NodeStore(const CacheLimits& limits) : limits_(limits) {}

  [[nodiscard]] Node* find(const NodeKey& key) const;
  Node& add(const NodeKey& key);
  void remove(Node& node);

  // The node has a new resolution: counts what it holds. It was used last.
  void count(Node& node);
  void uncount(Node& node);
  void touch(Node& node);

  // Removes nodes until the limits are kept.
  void trim();

  // Removes nodes with open files and without waiting requests: the process has run out of
  // descriptors.
  void drop_descriptors();

  // Idle nodes go now, the others when they are removed; none is found any more.
  void orphan_all();

  [[nodiscard]] std::size_t entries() const { return counted_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t descriptors() const { return descriptors_; }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  void link_newest(Node& node);
  void unlink(Node& node);
  [[nodiscard]] bool over_limits() const;

  CacheLimits limits_;
  std::unordered_map<NodeKey, std::unique_ptr<Node>, NodeKeyHash> nodes_;
  std::vector<std::unique_ptr<Node>> orphans_;
  Node* newest_ = nullptr;
  Node* oldest_ = nullptr;
  std::size_t counted_ = 0;
  std::size_t bytes_ = 0;
  std::size_t descriptors_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace httpuv::files
