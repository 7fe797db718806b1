// The application's rules for its topics, by name or pattern.
//
// Thread: made before the server starts, then read by any.
// Ownership: plain data.
// Failure: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/topics/history.h"

namespace httpuv::server {

// The policy for a message if the queue of its peer is full.
enum class Overflow : std::uint8_t {
  kClose,   // close with 1013 (Try Again Later)
  kDrop,    // drop the message
  kTell,    // drop it and tell the application
  kLatest,  // topics only: of those that wait for the peer keep the newest, once it is behind at
            // all
};

struct TopicRule {
  std::string pattern;  // "*" stands for any characters, none included
  HistoryLimits history{};
  std::optional<Overflow> overflow{};  // none: as for all WebSockets
};

struct TopicSettings {
  std::vector<TopicRule> rules;
  // Positions come from a broker: a topic has none until the broker's was loaded.
  bool brokered = false;
  // Topics with a rule are remembered without subscribers and messages, so that a
  // client that comes back loses nothing; of more than this the oldest is forgotten.
  std::size_t most_idle = 100'000;

  // The rule for a topic: one with just that name, else that with the longest pattern, else none.
  [[nodiscard]] const TopicRule* rule_of(std::string_view topic) const;
};

bool matches(std::string_view pattern, std::string_view topic);

}  // namespace httpuv::server
