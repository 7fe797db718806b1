// One topic: its position, its subscribers, and its history.
//
// Thread: the loop's.
// Ownership: Topics'. Pointers to it are good while it has members or groups, or is pinned.
// Failure: none but memory.
// More than 25 members and methods, because most are questions of one line about its history.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/list_link.h"
#include "net/loop/timer_wheel.h"
#include "server/message/commands.h"
#include "server/topics/history.h"
#include "server/topics/subscriptions.h"
#include "server/topics/topic_rules.h"

namespace httpuv::server {

class Topic;
class Topics;

// Clients that get the messages of several topics in one order.
class TopicGroup {
 public:
  virtual void deliver(Topic& topic, const std::vector<SharedPublication>& messages) noexcept = 0;
  // The topic's position does not continue its previous one.
  virtual void reset(const Topic& topic) = 0;
  [[nodiscard]] virtual std::size_t size() const = 0;

 protected:
  ~TopicGroup() = default;
};

// Its link is among the idle ones.
class Topic : private net::ListLink {
 public:
  explicit Topic(std::string_view name);
  ~Topic();
  Topic(const Topic&) = delete;
  Topic& operator=(const Topic&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const std::string& epoch() const { return epoch_; }
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] Position position() const { return {epoch_, offset_}; }
  // False: the topic belongs to a broker, and its position is not known yet.
  [[nodiscard]] bool loaded() const { return !epoch_.empty(); }

  [[nodiscard]] std::optional<Overflow> overflow() const {
    return rule_ == nullptr ? std::nullopt : rule_->overflow;
  }
  // Whether everything behind a position is in the history.
  [[nodiscard]] bool reaches(const Position& position) const;
  [[nodiscard]] std::vector<SharedPublication> since(std::uint64_t offset) const;
  // Whether a client has seen later messages on another server of the same broker.
  [[nodiscard]] bool is_behind(const Position& position) const {
    return position.epoch == epoch_ && position.offset > offset_;
  }
  // Whether nothing was lost since it began.
  [[nodiscard]] bool whole() const { return reaches({epoch_, 0}); }

  // How many WebSockets subscribe to it.
  [[nodiscard]] std::size_t sockets() const { return members_.size(); }

  // Messages that were not sent to a slow subscriber.
  void count_dropped(std::uint64_t messages) { rare().dropped += messages; }

 private:
  friend class Topics;
  struct Member {
    Subscriptions* subscriptions;
    std::uint32_t entry;  // among its entries
  };
  struct Kept;  // its history
  static constexpr std::size_t kLookAt = 64;
  // Members that few topics need.
  struct Rare {
    std::vector<TopicGroup*> groups{};
    std::vector<Command> parked{};  // what waits until it is loaded
    std::size_t look_at = kLookAt;  // when so many wait: whether their connections are there still
    std::uint64_t dropped = 0;
  };
  Rare& rare() {
    if (rare_ == nullptr) rare_ = std::make_unique<Rare>();
    return *rare_;
  }
  void drop_rare() {
    if (!has_groups() && !has_parked() && rare().dropped == 0) rare_.reset();
  }
  [[nodiscard]] bool has_groups() const { return rare_ != nullptr && !rare_->groups.empty(); }
  [[nodiscard]] bool has_parked() const { return rare_ != nullptr && !rare_->parked.empty(); }

  const std::string name_;
  const TopicRule* rule_ = nullptr;
  std::string epoch_{};
  std::uint64_t offset_ = 0;
  std::vector<Member> members_{};
  std::unique_ptr<Rare> rare_{};
  std::unique_ptr<Kept> kept_{};
  std::uint32_t pins_ = 0;
};

}  // namespace httpuv::server
