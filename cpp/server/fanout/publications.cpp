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

// A write to a subscriber takes more than a microsecond. To wait for a twentieth of all of them is
// worth it, because the next message needs none of its own then.
constexpr std::chrono::nanoseconds kWaitEach{50};
constexpr std::size_t kFew = 20;  // for so few it is not

// So many publications pass while memory that was asked for arrives.
constexpr std::size_t kAhead = 4;

}  // namespace

void Publications::add(Publish&& command) {
  if (topic_ && command.topic != topic_->topic().name()) send();
  const base::HashedName name = command.name();
  const std::string& epoch = command.message->epoch;
  Topic* topic = context_.topics.find(name);
  if (topic != nullptr && !epoch.empty() && topic->epoch() != epoch) {
    load({command.topic, {epoch, command.message->offset - 1}, {}});  // it was forgotten meanwhile
    topic = context_.topics.find(name);
  }
  topic = context_.topics.record(topic, name, command.message);
  if (topic == nullptr) return;
  context_.counters.published.add();
  command.message->charge = context_.budget.charge(Held::kMessagesOut, command.message->cost());
  messages_.push_back(std::move(command.message));
  if (!topic_) {
    since_ms_ = context_.loop.now_ms();
    worth_waiting_until_ = {};
    if (const std::size_t sockets = topic->sockets(); sockets > kFew) {
      worth_waiting_until_ = std::chrono::steady_clock::now() + sockets * kWaitEach;
    }
    topic_.emplace(context_.topics, *topic);
  }
  bytes_ += messages_.back()->message.payload_size();
  if (bytes_ >= kMostBytes) send();
}

void Publications::expect(const std::vector<Command>& batch, std::size_t next) const {
  const auto hash_at = [&](std::size_t place) {
    const auto* const publish =
        place < batch.size() ? std::get_if<Publish>(&batch[place]) : nullptr;
    return publish != nullptr ? std::optional(publish->hash) : std::nullopt;
  };
  if (const auto far = hash_at(next + 2 * kAhead)) context_.topics.begin_search(*far);
  if (const auto near = hash_at(next + kAhead)) context_.topics.continue_search(*near);
}

void Publications::send() noexcept {
  if (!topic_) return;
  // Removed first, because closing a slow subscriber can call this function again.
  const std::vector<SharedPublication> messages = std::exchange(messages_, {});
  bytes_ = 0;
  const Topics::Pin pin(context_.topics, topic_->topic());
  topic_.reset();
  send_to(pin.topic(), messages);
}

void Publications::send_to(Topic& topic, const std::vector<SharedPublication>& messages) noexcept {
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

bool Publications::worth_waiting() const {
  return worth_waiting_until_ != std::chrono::steady_clock::time_point{} &&
         std::chrono::steady_clock::now() < worth_waiting_until_;
}

bool Publications::end_turn(bool brought_events, bool application_idle) {
  if (!topic_) return false;
  const bool old = context_.loop.now_ms() - since_ms_ >= kMostMs;
  if (!old && !application_idle) return false;  // the loop looks for mail soon
  if (!old && (brought_events || worth_waiting())) {
    context_.loop.run_next_turn(*this);
    return false;
  }
  send();
  return true;
}

}  // namespace httpuv::server
