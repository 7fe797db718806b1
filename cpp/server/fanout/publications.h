// Published messages that are not sent yet: several messages of one topic are sent with one write
// to each subscriber, which costs little more than a single message.
//
// What: they are gathered as long as more are likely to come, and never for long: until a turn of
//   the loop brings nothing new while the application is idle, or it has been at work for a while
//   (Live::tick()), or for kMostMs. Turns that bring nothing are tried again for a small part of
//   the time that sending takes: the next message of a client that waits for this one is near. Any
//   other command has them sent first, so the application's order is kept.
// Thread: the loop's.
// Ownership: a member of the running server.
// Failure: without memory the connection that it was needed for ends.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "net/loop/loop.h"
#include "server/connection/context.h"
#include "server/topics/gathered.h"
#include "server/topics/topics.h"

namespace httpuv::server {

class Publications final : public Gathered, private net::TurnTask {
 public:
  explicit Publications(Context& context) : context_(context) {}

  void add(Publish&& command);
  // Those of a batch are added soon, one after the other: what the one at `next` and some behind it
  // will read is fetched meanwhile.
  void expect(const std::vector<Command>& batch, std::size_t next) const;
  void send() noexcept override;
  // At the end of a turn that brought events or not. True if something was sent.
  bool end_turn(bool brought_events, bool application_idle);
  [[nodiscard]] bool waiting() const { return topic_.has_value(); }

  // The broker's word on where a topic stands, and what it has: a topic that only went on has the
  // missing messages sent, any other starts anew. Commands that waited for it are returned.
  std::vector<Command> load(TopicLoad&& command);

 private:
  void run_turn() noexcept override {}  // that there is a next turn, at once, is all
  [[nodiscard]] bool worth_waiting() const;
  void send_to(Topic& topic, const std::vector<SharedPublication>& messages) noexcept;

  Context& context_;
  std::optional<Topics::Pin> topic_{};
  std::vector<SharedPublication> messages_{};  // all to that topic
  std::size_t bytes_ = 0;
  std::int64_t since_ms_ = 0;
  std::chrono::steady_clock::time_point worth_waiting_until_{};
};

}  // namespace httpuv::server
