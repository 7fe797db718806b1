#include "server/fanout/publications.h"

#include <utility>

#include "server/connection/connection.h"
#include "server/topics/topics.h"
#include "server/websocket/websocket_session.h"

namespace httpuv::server {

namespace {

constexpr std::int64_t kMostMs = 2;

// More than this gains nothing: a write of so much costs what it copies.
constexpr std::size_t kMostBytes = std::size_t{64} * 1024;

}  // namespace

void Publications::add(Publish&& command) {
  if (!messages_.empty() && command.topic != topic_) send();
  const std::string& epoch = command.message->epoch;
  const Topic* const known = context_.topics.find(command.topic);
  if (known != nullptr && !epoch.empty() && known->epoch() != epoch) {
    load({command.topic, {epoch, command.message->offset - 1}, {}});  // it was forgotten meanwhile
  }
  const Topic* const topic = context_.topics.record(command.topic, command.message);
  if (topic == nullptr) return;
  context_.counters.published.add();
  command.message->charge = context_.budget.charge(Held::kMessagesOut, command.message->cost());
  if (messages_.empty()) {
    since_ms_ = context_.loop.now_ms();
    topic_ = std::move(command.topic);
  }
  bytes_ += command.message->message.payload_size();
  messages_.push_back(std::move(command.message));
  if (bytes_ >= kMostBytes) send();
}

void Publications::send() noexcept {
  if (messages_.empty()) return;
  // Removed first, because closing a slow subscriber can call this function again.
  const std::vector<SharedPublication> messages = std::exchange(messages_, {});
  bytes_ = 0;
  if (Topic* const topic = context_.topics.find(topic_)) send_to(*topic, messages);
}

void Publications::send_to(Topic& topic, const std::vector<SharedPublication>& messages) noexcept {
  const Topics::Pin pin(context_.topics, topic);
  WebSocketSession::publish(context_, topic, messages);
  std::vector<TopicGroup*> groups;
  context_.insist([&] { groups = Topics::groups(topic); });
  for (TopicGroup* group : groups) group->deliver(topic, messages);
}

std::vector<Command> Publications::load(TopicLoad&& command) {
  send();
  Topic* const topic = context_.topics.find(command.topic);
  if (topic == nullptr) return {};  // its subscribers have gone
  const Topics::Pin pin(context_.topics, *topic);
  std::vector<SharedPublication>& messages = command.messages;
  for (const SharedPublication& each : messages) {
    each->charge = context_.budget.charge(Held::kMessagesOut, each->cost());
  }
  // It goes on if nothing is missing between where it stands and what there is.
  std::erase_if(messages, [&](const SharedPublication& each) {
    return topic->epoch() == command.position.epoch && each->offset <= topic->offset();
  });
  const std::uint64_t next =
      messages.empty() ? command.position.offset + 1 : messages.front()->offset;
  if (!topic->loaded()) {
    context_.topics.load(*topic, std::move(command.position), std::move(messages));
    return context_.topics.take_parked(*topic);
  }
  if (topic->epoch() != command.position.epoch || next != topic->offset() + 1) {
    // Messages are missing: the reset comes first, then the messages that the broker has.
    context_.topics.load(*topic, {std::move(command.position.epoch), next - 1}, {});
    WebSocketSession::reset_topic(context_, *topic);
    for (TopicGroup* group : Topics::groups(*topic)) group->reset(*topic);
  }
  for (const SharedPublication& each : messages) context_.topics.record(command.topic, each);
  if (!messages.empty()) send_to(*topic, messages);
  return context_.topics.take_parked(*topic);
}

bool Publications::end_turn(bool brought_events, bool application_idle) {
  if (messages_.empty()) return false;
  const bool old = context_.loop.now_ms() - since_ms_ >= kMostMs;
  if (!old && !application_idle) return false;  // the loop looks for mail soon
  if (!old && brought_events) {
    context_.loop.run_next_turn(*this);
    return false;
  }
  send();
  return true;
}

}  // namespace httpuv::server
