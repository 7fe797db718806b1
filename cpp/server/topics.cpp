#include "server/topics.h"

namespace httpuv::server {

void Topics::join(WebSocketSession& session, Subscriptions& subscriptions,
                  const std::string& name) {
  Subscriptions::Topic& topic = topics_[name];
  if (topic.subscribers.empty()) topic.name = name;
  if (!subscriptions.places_.try_emplace(&topic, topic.subscribers.size()).second) return;
  topic.subscribers.push_back({&session, &subscriptions});
}

void Topics::leave(Subscriptions& subscriptions, const std::string& name) {
  const auto topic = topics_.find(name);
  if (topic == topics_.end()) return;
  const auto found = subscriptions.places_.find(&topic->second);
  if (found == subscriptions.places_.end()) return;
  const std::size_t place = found->second;
  subscriptions.places_.erase(found);
  remove(topic->second, place);
}

void Topics::leave_all(Subscriptions& subscriptions) {
  for (const auto& [topic, place] : subscriptions.places_) remove(*topic, place);
  subscriptions.places_.clear();
}

// The last subscriber takes the place that becomes free. A topic without subscribers is forgotten.
void Topics::remove(Subscriptions::Topic& topic, std::size_t place) {
  auto& subscribers = topic.subscribers;
  subscribers[place] = subscribers.back();
  subscribers.pop_back();
  if (place < subscribers.size()) subscribers[place].subscriptions->places_[&topic] = place;
  if (subscribers.empty()) {
    const std::string name = topic.name;  // erase() must not be given what it destroys
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
