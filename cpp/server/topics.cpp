#include "server/topics.h"

#include <algorithm>

namespace httpuv::server {

void Topics::join(WebSocketSession& session, Subscriptions& subscriptions,
                  const std::string& name) {
  Subscriptions::Topic& topic = topics_[name];
  if (topic.subscribers.empty()) topic.name = name;
  for (const Subscriptions::Entry& entry : subscriptions.entries_) {
    if (entry.topic == &topic) return;
  }
  topic.subscribers.push_back({&session, &subscriptions, subscriptions.entries_.size()});
  subscriptions.entries_.push_back({&topic, topic.subscribers.size() - 1});
}

void Topics::leave(Subscriptions& subscriptions, const std::string& name) {
  auto& entries = subscriptions.entries_;
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& entry) { return entry.topic->name == name; });
  if (found != entries.end()) {
    remove(subscriptions, static_cast<std::size_t>(found - entries.begin()));
  }
}

void Topics::leave_all(Subscriptions& subscriptions) {
  while (!subscriptions.entries_.empty()) {
    remove(subscriptions, subscriptions.entries_.size() - 1);
  }
}

// On both sides the last one takes the place that becomes free.
void Topics::remove(Subscriptions& subscriptions, std::size_t index) {
  auto& entries = subscriptions.entries_;
  const Subscriptions::Entry entry = entries[index];
  entries[index] = entries.back();
  entries[index].topic->subscribers[entries[index].place].index = index;
  entries.pop_back();

  auto& subscribers = entry.topic->subscribers;
  subscribers[entry.place] = subscribers.back();
  subscribers.pop_back();
  if (entry.place < subscribers.size()) {
    const Subscriptions::Subscriber& moved = subscribers[entry.place];
    moved.subscriptions->entries_[moved.index].place = entry.place;
  }
  if (subscribers.empty()) {
    const std::string name = entry.topic->name;
    topics_.erase(name);
  }
}

std::vector<WebSocketSession*> Topics::subscribers(const std::string& name) const {
  std::vector<WebSocketSession*> sessions;
  const auto found = topics_.find(name);
  if (found == topics_.end()) return sessions;
  sessions.reserve(found->second.subscribers.size());
  for (const auto& subscriber : found->second.subscribers) sessions.push_back(subscriber.session);
  return sessions;
}

}  // namespace httpuv::server
