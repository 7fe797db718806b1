// The topics of a server and their subscribers. Joining and leaving take constant time, however
// many subscribers a topic has and however many topics a session. Loop thread only; a session must
// leave all topics before it is destroyed. Never fails.
#pragma once

#include <cstddef>
#include <string>
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
  };
  struct Topic {
    std::string name;
    std::vector<Subscriber> subscribers;
  };
  // For each topic its place among the topic's subscribers.
  std::unordered_map<Topic*, std::size_t> places_;
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
  void remove(Subscriptions::Topic& topic, std::size_t place);

  std::unordered_map<std::string, Subscriptions::Topic> topics_;
};

}  // namespace httpuv::server
