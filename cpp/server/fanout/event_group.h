// Streams of server-sent events that are fed by the same topics, in the same order.
//
// What: formats each publication once, with an id that names the positions of all its topics, and
//   sends the same bytes to every client. A client first gets the messages that it missed. A group
//   has all clients of one list of topics; the last client that leaves ends it.
// Thread: the loop's.
// Ownership: EventGroups owns the groups; an EventFeed is its stream's and leaves when destroyed.
// Failure: none but memory. If a topic closes slow clients, such a client is cut off; it reconnects
//   and names its position.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/message/commands.h"
#include "server/message/topic/event_text.h"
#include "server/topics/latest.h"
#include "server/topics/topic.h"

namespace httpuv::server {

struct Context;
class EventGroup;
class EventGroups;

// Where the events of one client go. None of these destroys anything before the turn ends.
class EventOutput {
 public:
  virtual void write(const std::shared_ptr<const EventText>& text) = 0;
  [[nodiscard]] virtual std::size_t queued() const = 0;
  virtual void cut() = 0;
  [[nodiscard]] virtual bool closing() const = 0;

 protected:
  virtual ~EventOutput() = default;
};

class EventFeed {
 public:
  EventFeed(EventGroup& group, EventOutput& output);
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // The client has taken all that was sent.
  void drained();

 private:
  friend class EventGroup;
  EventGroup& group_;
  EventOutput& output_;
  std::size_t place_ = 0;  // among the group's clients
  std::unique_ptr<Latest> latest_{};
};

class EventGroup final : public TopicGroup {
 public:
  EventGroup(EventGroups& groups, const std::string& key, Context& context, FeedRequest& request);
  ~EventGroup();
  EventGroup(const EventGroup&) = delete;
  EventGroup& operator=(const EventGroup&) = delete;

  [[nodiscard]] std::size_t size() const override { return clients_.size(); }
  // A client that cannot be sent it for lack of memory is cut off: it must not miss it unnoticed.
  void deliver(Topic& topic, const std::vector<SharedPublication>& messages) noexcept override;
  void reset(const Topic& topic) override;

 private:
  friend class EventFeed;
  friend class EventGroups;
  using SharedText = std::shared_ptr<const EventText>;

  void leave_topics();
  void begin(EventOutput& output, const FeedRequest& request);
  void join(EventFeed& feed);
  void leave(EventFeed& feed);
  void send(EventFeed& feed, Topic& topic, const std::vector<SharedPublication>& messages,
            const SharedText& text);
  [[nodiscard]] std::string id() const;
  [[nodiscard]] std::string id_with(const Topic& topic, std::uint64_t offset) const;
  [[nodiscard]] SharedText made(std::string_view events) const;
  [[nodiscard]] SharedText text_of(const Topic& topic,
                                   const std::vector<SharedPublication>& messages) const;
  static void append_reset(std::string& out, const std::string& id,
                           const std::vector<const Topic*>& topics);

  EventGroups& groups_;
  const std::string& key_;
  Context& context_;
  std::vector<Topic*> topics_{};
  std::vector<EventFeed*> clients_{};
};

class EventGroups {
 public:
  explicit EventGroups(Context& context) : context_(context) {}

  // Sends what the client is to have first, and from then on what is published. All topics are
  // loaded.
  std::unique_ptr<EventFeed> start(FeedRequest& request, EventOutput& output);

 private:
  friend class EventFeed;
  void end(const std::string& key) { groups_.erase(groups_.find(key)); }

  Context& context_;
  std::unordered_map<std::string, std::unique_ptr<EventGroup>> groups_{};
};

}  // namespace httpuv::server
