// The topics of a server.
//
// What: finds, makes and forgets topics; lets clients join and leave; keeps messages. A topic
//   without a rule lives as long as it has subscribers. One with a rule is remembered when it is
//   idle, too: see TopicSettings::most_idle. Joining and leaving take constant time.
// Thread: the loop's.
// Ownership: a member of the server's context. A session leaves all topics before it is destroyed.
// Failure: none but memory.
// More than 25 members and methods, because joining, leaving, keeping and loading each come from
// WebSockets, streams and brokers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/list_link.h"
#include "base/text/name_table.h"
#include "net/loop/reactor.h"
#include "server/message/commands.h"
#include "server/message/publication.h"
#include "server/message/topic/sequencer.h"
#include "server/topics/topic.h"
#include "server/worker/budget.h"
#include "server/worker/slot_map.h"

namespace httpuv::server {

class Connection;

class Topics {
 public:
  Topics(net::Reactor& loop, const TopicSettings& settings, const Budget& budget);
  ~Topics();
  Topics(const Topics&) = delete;
  Topics& operator=(const Topics&) = delete;

  // Assigns the offsets; null: the publications have them already.
  void use(Sequencer* sequencer) { sequencer_ = sequencer; }

  [[nodiscard]] Topic* find(const base::HashedName& name);
  // Messages to these topics come soon, in two steps: what finding a topic reads is fetched.
  void begin_search(std::uint32_t hash) const { topics_.begin_search(hash); }
  void continue_search(std::uint32_t hash) const { topics_.continue_search(hash); }
  // The topic, created if it does not exist. A hold gives its first position.
  Topic& open(const base::HashedName& name, TopicHold* hold = nullptr);

  void join(Topic& topic, Subscriptions& subscriptions);
  void leave(Subscriptions& subscriptions, const std::string& name);
  void leave_all(Subscriptions& subscriptions);
  void join(Topic& topic, TopicGroup& group);
  void leave(Topic& topic, TopicGroup& group);

  // A message was published: the topic that it is to be sent to, or null if it has none. One
  // that the topic has had already is not sent again.
  Topic* record(const base::HashedName& name, const SharedPublication& message) {
    return record(find(name), name, message);
  }
  // The same if find(name) is known.
  Topic* record(Topic* topic, const base::HashedName& name, const SharedPublication& message);

  // The broker's word on where a topic stands: true if its subscribers have to start anew, false if
  // it goes on where it was or was not loaded. What waited for it is to be carried out then.
  bool load(Topic& topic, Position position, std::vector<SharedPublication>&& messages);
  // Keeps a command until the broker has told where the topic stands. Those of clients that have
  // gone are forgotten from time to time.
  void park(Topic& topic, Command&& command, const SlotMap<Connection>& connections);
  std::vector<Command> take_parked(Topic& topic);
  // Drops the subscriptions of a socket that wait: it does not want the topic any more.
  static void unpark(Topic& topic, const ConnectionId& socket);
  // Forgets a topic of a broker; false if it has subscribers.
  bool release(const std::string& name);
  // Topics of a broker that wait to be loaded, and those that have no subscribers.
  [[nodiscard]] TopicNeeds needs() const;

  // A topic stays where it is as long as it is pinned.
  class Pin {
   public:
    Pin(Topics& topics, Topic& topic) : topics_(topics), topic_(topic) { ++topic_.pins_; }
    ~Pin() {
      --topic_.pins_;
      topics_.settle(topic_);
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    [[nodiscard]] Topic& topic() const { return topic_; }

   private:
    Topics& topics_;
    Topic& topic_;
  };

  // In no order; copies, so that sending may make some leave.
  [[nodiscard]] static std::vector<WebSocketSession*> sessions(const Topic& topic);
  [[nodiscard]] static std::vector<TopicGroup*> groups(const Topic& topic);
  [[nodiscard]] static bool is_member(const Topic& topic, const Subscriptions& subscriptions);
  [[nodiscard]] static std::vector<std::string> names(const Subscriptions& subscriptions);

  // The numbers of the topic; none if it does not exist.
  [[nodiscard]] TopicStats stats(const std::string& name);
  [[nodiscard]] std::size_t size() const { return topics_.size(); }
  // Of WebSockets, to all topics.
  [[nodiscard]] std::size_t subscriptions() const;

 private:
  friend class Pin;
  friend struct Topic::Kept;
  void keep(Topic& topic, const SharedPublication& message);
  void remove(Topic& topic, std::uint32_t place);
  void drop_entry(Subscriptions& subscriptions, std::uint32_t entry);
  void settle(Topic& topic);
  void forget(Topic& topic);
  Topic& make(const base::HashedName& name, Position at);

  net::Reactor& loop_;
  const TopicSettings& settings_;
  const Budget& budget_;
  Sequencer* sequencer_ = nullptr;
  base::NameTable<Topic> topics_{};
  net::ListLink idle_{};  // the oldest first
  std::size_t idle_count_ = 0;
  std::uint64_t serial_ = 0;
  std::mt19937_64 random_;
};

}  // namespace httpuv::server
