#include "server/topics/topic_rules.h"

namespace httpuv::server {

// Greedy, with one step back to the last "*": linear in practice, and without recursion.
bool matches(std::string_view pattern, std::string_view topic) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t mark = 0;
  while (t < topic.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == topic[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

const TopicRule* TopicSettings::rule_of(std::string_view topic) const {
  const TopicRule* best = nullptr;
  for (const TopicRule& rule : rules) {
    if (rule.pattern == topic) return &rule;
    if (best != nullptr && rule.pattern.size() <= best->pattern.size()) continue;
    if (matches(rule.pattern, topic)) best = &rule;
  }
  return best;
}

}  // namespace httpuv::server
