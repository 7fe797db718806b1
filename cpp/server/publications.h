// What was published and is not sent yet: several messages to one topic leave in one write for each
// subscriber, which costs a subscriber little more than a single one does.
//
// They are gathered as long as more are likely to come, and never for long: until a turn of the
// loop brings nothing new while the application is idle, or it has been at work for a while
// (Live::tick()), or for kMostMs. Whoever is to say something else to a socket has them sent first,
// so the application's order is kept.
// Loop thread only; a member of the running server. Never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "net/loop/loop.h"
#include "server/context.h"

namespace httpuv::server {

class Publications final : private net::TurnTask {
 public:
  explicit Publications(Context& context) : context_(context) {}

  void add(WsPublish&& message);
  void send();
  // At the end of a turn that brought events or not. True if something was sent.
  bool end_turn(bool brought_events, bool application_idle);

 private:
  void run_turn() override {}  // that there is a next turn, at once, is all

  Context& context_;
  std::vector<WsPublish> messages_;  // all to one topic
  std::size_t bytes_ = 0;
  std::int64_t since_ms_ = 0;
};

}  // namespace httpuv::server
