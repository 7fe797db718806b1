#include "server/topics/topics.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace httpuv::server {

namespace {

// The connection of a command that was parked.
ConnectionId owner_of(const Command& command) {
  if (const auto* const subscribe = std::get_if<WsSubscribe>(&command)) return subscribe->id;
  if (const auto* const feed = std::get_if<Feed>(&command)) return feed->id.connection;
  return {};
}

}  // namespace

// The history, and when its oldest message will be too old.
struct Topic::Kept final : private net::DeadlineOwner {
  Kept(Topics& in, Topic& of) : topics(in), topic(of), history(of.offset_) {}

  void watch() {
    if (history.size() == 0) return deadline.clear();
    deadline.set(topics.loop_.timers(), history.expires_at(topic.rule_->history));
  }
  void on_deadline(net::Deadline&) noexcept override {
    history.expire(topics.loop_.now_ms(), topic.rule_->history);
    if (history.size() > 0) return watch();
    Topics& in = topics;
    Topic& of = topic;
    of.kept_.reset();  // this is gone
    in.settle(of);
  }

  Topics& topics;
  Topic& topic;
  History history;
  net::Deadline deadline{this};
};

Topic::Topic(std::string_view name) : name_(name) {}
Topic::~Topic() = default;

bool Topic::reaches(const Position& position) const {
  if (position.epoch != epoch_) return false;
  return kept_ != nullptr ? kept_->history.reaches(position.offset) : position.offset == offset_;
}

std::vector<SharedPublication> Topic::since(std::uint64_t offset) const {
  return kept_ != nullptr ? kept_->history.since(offset) : std::vector<SharedPublication>();
}

Topics::Topics(net::Reactor& loop, const TopicSettings& settings, const Budget& budget)
    : loop_(loop), settings_(settings), budget_(budget), random_([] {
        std::random_device device;
        return (std::uint64_t{device()} << 32) ^ device();
      }()) {}

Topics::~Topics() = default;

Topic* Topics::find(const base::HashedName& name) {
  return topics_.find(name);
}

Topic& Topics::make(const base::HashedName& name, Position at) {
  Topic& topic = topics_.add(std::make_unique<Topic>(name.text), name.hash);
  topic.rule_ = settings_.rule_of(name.text);
  topic.epoch_ = std::move(at.epoch);
  topic.offset_ = at.offset;
  return topic;
}

Topic& Topics::open(const base::HashedName& name, TopicHold* hold) {
  if (Topic* const topic = find(name)) return *topic;
  if (settings_.brokered) return make(name, {});
  if (hold == nullptr || !*hold) return make(name, {make_epoch(random_), 0});
  Topic& topic = make(name, hold->at);
  hold->take();  // until it is forgotten
  return topic;
}

void Topics::join(Topic& topic, Subscriptions& subscriptions) {
  if (is_member(topic, subscriptions)) return;
  const auto place = static_cast<std::uint32_t>(topic.members_.size());
  const auto entry = static_cast<std::uint32_t>(subscriptions.entries_.size());
  topic.members_.push_back({&subscriptions, entry});
  subscriptions.entries_.push_back({&topic, place});
  settle(topic);
}

// Looks where there is less to look at.
bool Topics::is_member(const Topic& topic, const Subscriptions& subscriptions) {
  const auto& entries = subscriptions.entries_;
  if (entries.size() <= topic.members_.size()) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& each) { return each.topic == &topic; });
  }
  return std::any_of(topic.members_.begin(), topic.members_.end(),
                     [&](const auto& each) { return each.subscriptions == &subscriptions; });
}

void Topics::leave(Subscriptions& subscriptions, const std::string& name) {
  Topic* const topic = find(name);
  if (topic == nullptr) return;
  auto& entries = subscriptions.entries_;
  std::uint32_t entry = 0;
  if (entries.size() <= topic->members_.size()) {
    const auto found = std::find_if(entries.begin(), entries.end(),
                                    [&](const auto& each) { return each.topic == topic; });
    if (found == entries.end()) return;
    entry = static_cast<std::uint32_t>(found - entries.begin());
  } else {
    const auto found =
        std::find_if(topic->members_.begin(), topic->members_.end(),
                     [&](const auto& each) { return each.subscriptions == &subscriptions; });
    if (found == topic->members_.end()) return;
    entry = found->entry;
  }
  remove(*topic, entries[entry].place);
  drop_entry(subscriptions, entry);
  settle(*topic);
}

void Topics::leave_all(Subscriptions& subscriptions) {
  for (const auto& [topic, place] : std::exchange(subscriptions.entries_, {})) {
    remove(*topic, place);
    settle(*topic);
  }
}

// The last member takes the place that becomes free.
void Topics::remove(Topic& topic, std::uint32_t place) {
  auto& members = topic.members_;
  members[place] = members.back();
  members.pop_back();
  if (place < members.size()) {
    const Topic::Member& moved = members[place];
    moved.subscriptions->entries_[moved.entry].place = place;
  }
  if (members.empty()) members.shrink_to_fit();
}

void Topics::drop_entry(Subscriptions& subscriptions, std::uint32_t entry) {
  auto& entries = subscriptions.entries_;
  entries[entry] = entries.back();
  entries.pop_back();
  if (entry < entries.size()) entries[entry].topic->members_[entries[entry].place].entry = entry;
}

void Topics::join(Topic& topic, TopicGroup& group) {
  topic.rare().groups.push_back(&group);
  settle(topic);
}

void Topics::leave(Topic& topic, TopicGroup& group) {
  std::erase(topic.rare().groups, &group);
  topic.drop_rare();
  settle(topic);
}

Topic* Topics::record(Topic* topic, const base::HashedName& name,
                      const SharedPublication& message) {
  if (topic == nullptr) {
    // Without a rule: there is no subscriber, and nothing is to be kept.
    if (settings_.brokered || settings_.rule_of(name.text) == nullptr) {
      if (sequencer_ != nullptr) sequencer_->forget_unheld(name);
      return nullptr;
    }
    const Position at{message->epoch.empty() ? make_epoch(random_) : message->epoch,
                      message->offset == 0 ? 0 : message->offset - 1};
    topic = &make(name, at);
    if (sequencer_ != nullptr) sequencer_->hold(name, at);
  }
  if (!topic->loaded()) return nullptr;  // load() will bring it
  message->serial = ++serial_;
  message->at_ms = loop_.now_ms();
  if (message->offset != 0) {
    if (message->offset <= topic->offset_) return nullptr;
    keep(*topic, message);
    topic->offset_ = message->offset;
  }
  return topic;
}

void Topics::keep(Topic& topic, const SharedPublication& message) {
  if (topic.rule_ != nullptr && topic.rule_->history.messages > 0) {
    if (topic.kept_ == nullptr) topic.kept_ = std::make_unique<Topic::Kept>(*this, topic);
    // Where memory is used up nothing is kept that can be done without.
    topic.kept_->history.append(message, budget_.full() ? HistoryLimits() : topic.rule_->history);
    topic.kept_->watch();
    settle(topic);
  }
}

bool Topics::load(Topic& topic, Position position, std::vector<SharedPublication>&& messages) {
  const bool anew = topic.loaded();
  topic.epoch_ = std::move(position.epoch);
  topic.kept_.reset();
  topic.offset_ = messages.empty() ? position.offset : messages.front()->offset - 1;
  for (const SharedPublication& each : messages) {
    each->serial = ++serial_;
    each->at_ms = loop_.now_ms();
    keep(topic, each);
    topic.offset_ = each->offset;
  }
  return anew;
}

void Topics::park(Topic& topic, Command&& command, const SlotMap<Connection>& connections) {
  Topic::Rare& rare = topic.rare();
  if (rare.parked.size() >= rare.look_at) {
    std::erase_if(rare.parked,
                  [&](const Command& each) { return connections.find(owner_of(each)) == nullptr; });
    rare.look_at = std::max(Topic::kLookAt, 2 * rare.parked.size());
  }
  rare.parked.push_back(std::move(command));
}

std::vector<Command> Topics::take_parked(Topic& topic) {
  std::vector<Command> parked;
  if (topic.has_parked()) {
    parked.swap(topic.rare().parked);
    topic.drop_rare();
  }
  return parked;
}

void Topics::unpark(Topic& topic, const ConnectionId& socket) {
  if (!topic.has_parked()) return;
  std::erase_if(topic.rare().parked, [&](const Command& each) {
    const auto* const subscribe = std::get_if<WsSubscribe>(&each);
    return subscribe != nullptr && subscribe->id == socket;
  });
  topic.drop_rare();
}

bool Topics::release(const std::string& name) {
  Topic* const topic = find(name);
  if (topic == nullptr) return true;
  if (!topic->members_.empty() || topic->has_groups() || topic->has_parked() || topic->pins_ > 0) {
    return false;
  }
  topics_.erase(name);
  return true;
}

TopicNeeds Topics::needs() const {
  TopicNeeds needs;
  topics_.each([&](const Topic& topic) {
    if (topic.has_parked()) {
      (topic.loaded() ? needs.behind : needs.unloaded).push_back(topic.name());
    } else if (topic.members_.empty() && !topic.has_groups()) {
      needs.unused.push_back(topic.name());
    }
  });
  return needs;
}

// After every change of subscribers or history: lists the topic as idle or not, or forgets it. A
// broker's topic is forgotten by release() only.
void Topics::settle(Topic& topic) {
  if (settings_.brokered || topic.pins_ > 0) return;
  const bool used = !topic.members_.empty() || topic.has_groups() || topic.kept_ != nullptr;
  const bool listed = !topic.empty();
  if (used && listed) {
    topic.remove();
    --idle_count_;
  } else if (!used && topic.rule_ == nullptr) {
    forget(topic);
  } else if (!used && !listed) {
    idle_.append(topic);
    ++idle_count_;
    if (idle_count_ > settings_.most_idle) forget(*static_cast<Topic*>(idle_.next));
  }
}

// One that is remembered is not forgotten while messages are on their way to it.
void Topics::forget(Topic& topic) {
  if (sequencer_ != nullptr && topic.rule_ != nullptr) {
    if (!sequencer_->release_at(topic.name(), topic.offset_)) return;
  } else if (sequencer_ != nullptr) {
    sequencer_->release(topic.name());
  }
  if (!topic.empty()) {
    topic.remove();
    --idle_count_;
  }
  topics_.erase(topic.name());
}

TopicStats Topics::stats(const std::string& name) {
  TopicStats stats;
  const Topic* const topic = find(name);
  if (topic == nullptr) return stats;
  stats.known = true;
  stats.position = topic->position();
  stats.dropped = topic->rare_ != nullptr ? topic->rare_->dropped : 0;
  stats.subscribers = topic->members_.size();
  if (topic->has_groups()) {
    for (const TopicGroup* group : topic->rare_->groups) stats.subscribers += group->size();
  }
  if (topic->kept_ != nullptr) {
    stats.messages = topic->kept_->history.size();
    stats.bytes = topic->kept_->history.bytes();
  }
  return stats;
}

std::vector<WebSocketSession*> Topics::sessions(const Topic& topic) {
  std::vector<WebSocketSession*> found;
  found.reserve(topic.members_.size());
  for (const auto& each : topic.members_) found.push_back(&each.subscriptions->session());
  return found;
}

std::vector<TopicGroup*> Topics::groups(const Topic& topic) {
  return topic.has_groups() ? topic.rare_->groups : std::vector<TopicGroup*>();
}

std::vector<std::string> Topics::names(const Subscriptions& subscriptions) {
  std::vector<std::string> found;
  found.reserve(subscriptions.entries_.size());
  for (const auto& each : subscriptions.entries_) found.push_back(each.topic->name());
  return found;
}

std::size_t Topics::subscriptions() const {
  std::size_t all = 0;
  topics_.each([&](const Topic& topic) { all += topic.members_.size(); });
  return all;
}

}  // namespace httpuv::server
