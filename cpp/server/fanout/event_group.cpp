#include "server/fanout/event_group.h"

#include <algorithm>
#include <utility>

#include "base/encode/base64.h"
#include "server/connection/connection.h"
#include "server/connection/context.h"

namespace httpuv::server {

namespace {

// Names may have any characters, so each is told with its length.
std::string key_of(const std::vector<std::string>& topics) {
  std::string key;
  for (const std::string& each : topics) key.append(std::to_string(each.size()) + ":").append(each);
  return key;
}

// An event is text: what is not is sent as base64.
void append_message(std::string& out, std::string_view id, const Publication& message) {
  const std::string_view data = message.message.payload();
  if (message.message.is_text()) return append_event(out, id, message.event, data);
  append_event(out, id, message.event, base::base64_encode(data));
}

}  // namespace

// --- one client ---------------------------------------------------------------------------------

EventFeed::EventFeed(EventGroup& group, EventOutput& output) : group_(group), output_(output) {
  group_.join(*this);
}

EventFeed::~EventFeed() {
  group_.leave(*this);
  if (group_.size() == 0) group_.groups_.end(group_.key_);
}

void EventFeed::drained() {
  if (latest_ == nullptr) return;
  // All topics stand where the id says only behind the last of them.
  const auto waiting = std::exchange(latest_, nullptr)->take();
  std::string events;
  for (const auto& [topic, message] : waiting) {
    append_message(events, message == waiting.back().second ? group_.id() : "", *message);
  }
  output_.write(group_.made(events));
}

// --- all of one list of topics ------------------------------------------------------------------

EventGroup::EventGroup(EventGroups& groups, const std::string& key, Context& context,
                       FeedRequest& request)
    : groups_(groups), key_(key), context_(context) {
  topics_.reserve(request.topics.size());
  try {
    for (std::size_t i = 0; i < request.topics.size(); ++i) {
      TopicHold* const hold = i < request.holds.size() ? &request.holds[i] : nullptr;
      Topic& topic = context_.topics.open(request.topics[i], hold);
      context_.topics.join(topic, *this);
      topics_.push_back(&topic);
    }
  } catch (const std::bad_alloc&) {
    leave_topics();
    throw;
  }
}

EventGroup::~EventGroup() {
  leave_topics();
}

void EventGroup::leave_topics() {
  for (Topic* topic : topics_) context_.topics.leave(*topic, *this);
}

void EventGroup::join(EventFeed& feed) {
  feed.place_ = clients_.size();
  clients_.push_back(&feed);
}

void EventGroup::leave(EventFeed& feed) {
  clients_[feed.place_] = clients_.back();
  clients_[feed.place_]->place_ = feed.place_;
  clients_.pop_back();
}

std::string EventGroup::id_with(const Topic& topic, std::uint64_t offset) const {
  std::string text;
  for (const Topic* each : topics_) {
    if (!text.empty()) text.push_back(',');
    append_position(text, each->epoch(), each == &topic ? offset : each->offset());
  }
  return text;
}

std::string EventGroup::id() const {
  return id_with(*topics_.front(), topics_.front()->offset());
}

EventGroup::SharedText EventGroup::made(std::string_view events) const {
  auto text = std::make_shared<EventText>(events);
  text->charge_with(context_.budget.charge(Held::kMessagesOut, text->cost()));
  return text;
}

EventGroup::SharedText EventGroup::text_of(const Topic& topic,
                                           const std::vector<SharedPublication>& messages) const {
  std::string events;
  for (const SharedPublication& each : messages) {
    // One outside of the history leaves the client's position where it was.
    append_message(events, each->offset == 0 ? "" : id_with(topic, each->offset), *each);
  }
  return made(events);
}

void EventGroup::deliver(Topic& topic, const std::vector<SharedPublication>& messages) noexcept {
  SharedText text;
  context_.guarded([&] { text = text_of(topic, messages); });
  for (EventFeed* client : clients_) {
    const bool sent =
        text != nullptr && context_.guarded([&] { send(*client, topic, messages, text); });
    if (!sent) client->output_.cut();
  }
}

void EventGroup::send(EventFeed& feed, Topic& topic, const std::vector<SharedPublication>& messages,
                      const SharedText& text) {
  EventOutput& output = feed.output_;
  if (output.closing()) return;
  const std::size_t waiting = output.queued();
  const Overflow policy = topic.overflow().value_or(context_.settings.websocket.overflow);
  if (policy == Overflow::kLatest && waiting > 0) {
    if (feed.latest_ == nullptr) feed.latest_ = std::make_unique<Latest>();
    const bool replaced = feed.latest_->put(topic, messages.back());
    const std::size_t dropped = messages.size() - 1 + (replaced ? 1 : 0);
    topic.count_dropped(dropped);
    context_.counters.topic_dropped.add(dropped);
    return;
  }
  const std::size_t all = waiting + text->plain().size();
  if (waiting == 0 || (all <= context_.limits.ws_max_queue && !context_.budget.full())) {
    if (feed.latest_ == nullptr) return output.write(text);
    // No id: it would name positions of messages that still wait.
    std::string events;
    for (const SharedPublication& each : messages) append_message(events, "", *each);
    return output.write(made(events));
  }
  topic.count_dropped(messages.size());
  context_.counters.topic_dropped.add(messages.size());
  if (policy != Overflow::kClose) return;
  context_.counters.topic_closed.add();
  output.cut();
}

void EventGroup::append_reset(std::string& out, const std::string& id,
                              const std::vector<const Topic*>& topics) {
  std::string names = "[";
  for (const Topic* each : topics) {
    if (names.size() > 1) names.push_back(',');
    append_json(names, each->name());
  }
  append_event(out, id, "reset", names.append("]"));
}

void EventGroup::reset(const Topic& topic) {
  std::string events;
  append_reset(events, id(), {&topic});
  const auto text = made(events);
  for (EventFeed* client : clients_) {
    if (!context_.guarded([&] { client->output_.write(text); })) client->output_.cut();
  }
}

// First the client's position, so that it loses nothing even if it leaves before the first message,
// then the messages that it missed.
void EventGroup::begin(EventOutput& output, const FeedRequest& request) {
  const auto known = parse_positions(request.last_event_id, topics_.size());
  std::vector<std::uint64_t> offsets(topics_.size());
  std::vector<const Topic*> lost;
  std::vector<std::pair<SharedPublication, std::size_t>> missed;  // with the topic's place
  for (std::size_t i = 0; i < topics_.size(); ++i) {
    const Topic& topic = *topics_[i];
    const bool fresh = request.last_event_id.empty();
    const bool reached = known && known->size() == topics_.size() && topic.reaches((*known)[i]);
    offsets[i] = topic.offset();
    if (!fresh && !reached) lost.push_back(&topic);
    if (!reached && !(fresh && request.history)) continue;
    const auto messages = topic.since(reached ? (*known)[i].offset : 0);
    if (!messages.empty()) offsets[i] = messages.front()->offset - 1;
    for (const SharedPublication& each : messages) missed.emplace_back(each, i);
  }
  std::stable_sort(missed.begin(), missed.end(),
                   [](const auto& a, const auto& b) { return a.first->serial < b.first->serial; });
  const auto standing = [&] {
    std::string id;
    for (std::size_t i = 0; i < topics_.size(); ++i) {
      if (i > 0) id.push_back(',');
      append_position(id, topics_[i]->epoch(), offsets[i]);
    }
    return id;
  };
  std::string events;
  if (request.retry_ms >= 0) events.append("retry: " + std::to_string(request.retry_ms) + "\n");
  // The reset and the new position are one event, so that no client gets only one of them.
  if (lost.empty()) {
    events.append("id: ").append(standing()).append("\n\n");
  } else {
    append_reset(events, standing(), lost);
  }
  for (const auto& [message, place] : missed) {
    offsets[place] = message->offset;
    append_message(events, standing(), *message);
  }
  output.write(made(events));
}

std::unique_ptr<EventFeed> EventGroups::start(FeedRequest& request, EventOutput& output) {
  context_.gathered->send();  // what is gathered was published before
  const auto [place, made] = groups_.try_emplace(key_of(request.topics));
  try {
    if (made) {
      place->second = std::make_unique<EventGroup>(*this, place->first, context_, request);
    }
    place->second->begin(output, request);
    return std::make_unique<EventFeed>(*place->second, output);
  } catch (const std::bad_alloc&) {
    if (made) groups_.erase(place);
    throw;
  }
}

}  // namespace httpuv::server
