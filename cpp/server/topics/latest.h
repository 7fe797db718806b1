// The newest message of each topic with the policy "latest", for a slow client.
//
// Thread: the loop's.
// Ownership: a client's, made when it is behind. The topics are those it has joined: it drops a
//   topic that it leaves.
// Failure: none but memory.
#pragma once

#include <utility>
#include <vector>

#include "server/message/publication.h"
#include "server/topics/topic.h"

namespace httpuv::server {

class Latest {
 public:
  // Whether an older one was dropped.
  bool put(Topic& topic, const SharedPublication& message) {
    for (auto& [of, waiting] : waiting_) {
      if (of != &topic) continue;
      waiting = message;
      return true;
    }
    waiting_.emplace_back(&topic, message);
    return false;
  }
  void forget(const Topic& topic) {
    std::erase_if(waiting_, [&](const auto& each) { return each.first == &topic; });
  }
  // All, in the order in which their topics came first.
  std::vector<std::pair<Topic*, SharedPublication>> take() { return std::exchange(waiting_, {}); }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t sum = 0;
    for (const auto& each : waiting_) sum += each.second->message.payload_size();
    return sum;
  }

 private:
  std::vector<std::pair<Topic*, SharedPublication>> waiting_{};
};

}  // namespace httpuv::server
