// Who has subscribed to what. Joining and leaving cost the same with one subscriber or a hundred
// thousand. Loop thread only; sessions must leave before they are destroyed. Never fails.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace httpuv::server {

class WebSocketSession;
class Topics;

// The topics of one session; a member of it.
class Subscriptions {
 private:
  friend class Topics;
  struct Subscriber {
    WebSocketSession* session;
    Subscriptions* subscriptions;
    std::size_t index;  // among the session's entries
  };
  struct Topic {
    std::string name;
    std::vector<Subscriber> subscribers;
  };
  struct Entry {
    Topic* topic;
    std::size_t place;  // among the topic's subscribers
  };
  std::vector<Entry> entries_;
};

class Topics {
 public:
  Topics() = default;
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  void join(WebSocketSession& session, Subscriptions& subscriptions, const std::string& topic);
  void leave(Subscriptions& subscriptions, const std::string& topic);
  void leave_all(Subscriptions& subscriptions);

  // The subscribers of a topic, in no order; a copy, so that sending may make some leave.
  [[nodiscard]] std::vector<WebSocketSession*> subscribers(const std::string& topic) const;

 private:
  void remove(Subscriptions& subscriptions, std::size_t index);

  std::unordered_map<std::string, Subscriptions::Topic> topics_;
};

}  // namespace httpuv::server
