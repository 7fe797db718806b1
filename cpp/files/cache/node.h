// One path of a route in the cache: what it was found to be, and the requests that wait for it.
//
// Loop thread only; owned by the NodeStore.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text/text_hash.h"
#include "files/answer/resolution.h"
#include "files/cache/resolver.h"
#include "files/cache/service.h"
#include "files/cache/watch.h"

namespace httpuv::files {

// How the path was asked for.
enum class Aim : std::uint8_t { kFile, kDirectory /* slash at its end */, kHidden };

struct NodeKey {
  const Route* route = nullptr;
  std::string_view rest;
  Aim aim = Aim::kFile;
  ListingView view = {};
  bool operator==(const NodeKey&) const = default;
};

struct NodeKeyHash {
  std::size_t operator()(const NodeKey& key) const {
    base::HashKey hash_key = base::process_hash_key();
    hash_key.high += reinterpret_cast<std::uintptr_t>(key.route) + static_cast<unsigned>(key.aim);
    hash_key.low += key.view.number();
    return static_cast<std::size_t>(base::hash_text(key.rest, hash_key));
  }
};

// A job of other threads for a node. Only they use it until it is done, and it owns its data,
// because the loop may end first.
struct Job {
  std::shared_ptr<Resolver> resolver;
  std::shared_ptr<const RouteTable> table;  // keeps what `lookup` refers to
  Lookup lookup;
  std::vector<Witness> recheck;  // if all of them hold, nothing needs to be found
  bool held = false;
  Finding finding;
};

struct Node {
  const Route* route = nullptr;
  std::string rest;
  Aim aim = Aim::kFile;
  ListingView view;

  bool ready = false;  // `resolution` may be given out as long as `watches` hold
  Resolution resolution;
  Watches watches;

  std::vector<Token> waiting;  // read since the last check
  std::vector<Token> riding;   // answered when the job is done
  std::shared_ptr<Job> job;    // null when nothing is under way
  bool scheduled = false;      // in the list of the turn
  bool orphan = false;         // of a replaced route table: removed when no request waits

  // By last use; see NodeStore.
  Node* newer = nullptr;
  Node* older = nullptr;
  bool counted = false;
  std::size_t bytes = 0;
  std::size_t descriptors = 0;

  [[nodiscard]] NodeKey key() const { return {route, rest, aim, view}; }
  [[nodiscard]] bool idle() const { return waiting.empty() && job == nullptr && !scheduled; }
};

}  // namespace httpuv::files
