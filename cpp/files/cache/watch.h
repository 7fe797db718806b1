// The paths that the cache relies on, each checked at most once a round.
//
// Loop thread only; owned by the cache, must outlive the watches it gave out. A watch that no
// longer holds never holds again: what relied on it is found anew.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text/text_hash.h"
#include "files/cache/resolver.h"

namespace httpuv::files {

struct Watch {
  Witness witness;
  std::uint64_t round = 0;   // when it was last looked at
  std::int64_t seen_ms = 0;  // likewise
  bool broken = false;
};

using Watches = std::vector<std::shared_ptr<Watch>>;

class WatchSet {
 public:
  explicit WatchSet(std::int64_t in_core_ms) : in_core_ms_(in_core_ms) {}

  // Watches for what was witnessed just now. Those of directories are shared: many files rely on
  // each.
  Watches watch(std::vector<Witness>&& witnesses);

  // From here on everything is looked at again.
  void begin_round(std::int64_t now_ms);

  // Whether holds() will not have to wait for a disk or a network.
  [[nodiscard]] bool quick(const Watches& watches) const;

  // Whether everything is as it was witnessed. Calls stat.
  bool hold(const Watches& watches);

  // They were looked at on the pool just now and do hold.
  void confirm(const Watches& watches);

  [[nodiscard]] std::uint64_t checks() const { return checks_; }

 private:
  std::shared_ptr<Watch> share(Witness&& witness);
  bool holds(Watch& watch);
  void forget(Watch* watch);

  std::int64_t in_core_ms_;
  std::int64_t now_ms_ = 0;
  std::uint64_t round_ = 0;
  std::uint64_t checks_ = 0;
  std::unordered_map<std::string, std::weak_ptr<Watch>, base::TextHash, std::equal_to<>>
      directories_;
};

}  // namespace httpuv::files
