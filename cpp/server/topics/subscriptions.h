// The topics of one WebSocket; a member of its session.
//
// What: for each topic its place among the topic's members, so that leaving takes constant time: 16
//   bytes here and 16 there.
// Thread: the loop's.
// Ownership: a session leaves all topics before it is destroyed.
// Failure: none but memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace httpuv::server {

class Topic;
class Topics;
class WebSocketSession;

class Subscriptions {
 public:
  explicit Subscriptions(WebSocketSession& session) : session_(&session) {}
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  [[nodiscard]] WebSocketSession& session() const { return *session_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  friend class Topics;
  struct Entry {
    Topic* topic;
    std::uint32_t place;  // among its members
  };
  WebSocketSession* session_;
  std::vector<Entry> entries_{};
};

}  // namespace httpuv::server
