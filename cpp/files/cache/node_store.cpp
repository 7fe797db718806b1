#include "files/cache/node_store.h"

#include <algorithm>
#include <utility>

namespace httpuv::files {
namespace {

// What the maps and lists need for one node, roughly.
constexpr std::size_t kBookkeeping = 128;

}  // namespace

Node* NodeStore::find(const NodeKey& key) const {
  const auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node& NodeStore::add(const NodeKey& key) {
  auto node = std::make_unique<Node>();
  node->route = key.route;
  node->rest = key.rest;
  node->aim = key.aim;
  node->view = key.view;
  Node& added = *node;
  nodes_.emplace(added.key(), std::move(node));
  return added;
}

void NodeStore::remove(Node& node) {
  uncount(node);
  if (!node.orphan) {
    nodes_.erase(nodes_.find(node.key()));
    return;
  }
  std::erase_if(orphans_, [&](const auto& orphan) { return orphan.get() == &node; });
}

void NodeStore::count(Node& node) {
  uncount(node);
  node.bytes = sizeof(Node) + node.rest.capacity() + kBookkeeping;
  node.descriptors = 0;
  for (const auto& watch : node.watches) node.bytes += sizeof(Watch) + watch->witness.path.size();
  if (node.resolution.entry != nullptr) {
    node.bytes += node.resolution.entry->memory();
    node.descriptors = node.resolution.entry->descriptors();
  }
  node.counted = true;
  ++counted_;
  bytes_ += node.bytes;
  descriptors_ += node.descriptors;
  link_newest(node);
}

void NodeStore::uncount(Node& node) {
  if (!node.counted) return;
  unlink(node);
  node.counted = false;
  --counted_;
  bytes_ -= node.bytes;
  descriptors_ -= node.descriptors;
}

void NodeStore::touch(Node& node) {
  if (!node.counted || newest_ == &node) return;
  unlink(node);
  link_newest(node);
}

void NodeStore::trim() {
  Node* node = oldest_;
  while (node != nullptr && over_limits()) {
    Node* const next = node->newer;
    if (node->idle()) {
      remove(*node);
      ++evictions_;
    }
    node = next;
  }
}

void NodeStore::drop_descriptors() {
  Node* node = oldest_;
  while (node != nullptr) {
    Node* const next = node->newer;
    if (node->idle() && node->descriptors > 0) {
      remove(*node);
      ++evictions_;
    }
    node = next;
  }
}

void NodeStore::orphan_all() {
  for (auto& [key, node] : nodes_) {
    uncount(*node);
    if (node->idle()) continue;
    node->orphan = true;
    orphans_.push_back(std::move(node));
  }
  nodes_.clear();
}

void NodeStore::link_newest(Node& node) {
  node.older = newest_;
  node.newer = nullptr;
  (newest_ != nullptr ? newest_->newer : oldest_) = &node;
  newest_ = &node;
}

void NodeStore::unlink(Node& node) {
  (node.newer != nullptr ? node.newer->older : newest_) = node.older;
  (node.older != nullptr ? node.older->newer : oldest_) = node.newer;
}

bool NodeStore::over_limits() const {
  return counted_ > limits_.entries || bytes_ > limits_.bytes || descriptors_ > limits_.descriptors;
}

}  // namespace httpuv::files
