// Gives each message its offset, on the thread that publishes; one for all workers of a server.
//
// What: the epoch and the last offset of each known topic. The offset is assigned and the message
// is
//   posted under one lock, so that messages reach every loop in the order of their offsets. A topic
//   is known as long as it has a holder: a loop that has it, or a subscription on its way there. A
//   topic that becomes known again has a new epoch.
// Thread: any. The lock is held for a look-up and a post, and never while Python may run.
// Ownership: the server's; outlives its loops.
// Failure: none but memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/text/name_table.h"
#include "server/message/topic/event_text.h"

namespace httpuv::server {

class Sequencer;

// Keeps a topic known. `at`: where it stood when this was made.
class TopicHold {
 public:
  TopicHold() = default;
  TopicHold(Sequencer* sequencer, std::string topic, Position where)
      : at(std::move(where)), sequencer_(sequencer), topic_(std::move(topic)) {}
  TopicHold(TopicHold&& other) noexcept
      : at(std::move(other.at)),
        sequencer_(std::exchange(other.sequencer_, nullptr)),
        topic_(std::move(other.topic_)) {}
  TopicHold& operator=(TopicHold&& other) noexcept {
    std::swap(at, other.at);
    std::swap(sequencer_, other.sequencer_);
    std::swap(topic_, other.topic_);
    return *this;
  }
  ~TopicHold();

  [[nodiscard]] explicit operator bool() const { return sequencer_ != nullptr; }
  // The new owner of the hold releases it.
  void take() { sequencer_ = nullptr; }

  Position at{};

 private:
  Sequencer* sequencer_ = nullptr;
  std::string topic_{};
};

// 60 random bits: as text they fit into a string without memory of its own.
constexpr std::size_t kOwnEpoch = 10;
std::string make_epoch(std::mt19937_64& random);

class Sequencer {
 public:
  Sequencer();

  // Calls post(position), which returns whether the message is on its way, with the next position
  // of a topic. Returns its offset; 0 where it was not posted.
  template <class Post>
  std::uint64_t publish(const base::HashedName& topic, Post&& post) {
    const std::lock_guard lock(mutex_);
    Entry& entry = known(topic);  // post() may move the name away
    if (!post(entry.at(entry.offset + 1))) return 0;
    return ++entry.offset;
  }

  // Calls subscribe(holds), one for each topic, and has them posted before any later message.
  template <class Topics, class Subscribe>
  auto join(const Topics& topics, Subscribe&& subscribe) {
    std::vector<TopicHold> holds;  // destroyed, where they are not taken, when it is unlocked
    holds.reserve(topics.size());
    const std::lock_guard lock(mutex_);
    for (const std::string& topic : topics) {
      Entry& entry = known(topic);
      ++entry.holders;
      holds.emplace_back(this, topic, entry.at(entry.offset));
    }
    return subscribe(std::move(holds));
  }

  // A loop has a topic because of a message.
  void hold(const base::HashedName& topic, const Position& at);
  void release(const base::HashedName& topic);
  // The same, unless messages are on their way behind that offset: then false.
  bool release_at(const base::HashedName& topic, std::uint64_t offset);
  // A message has come for a topic without subscribers.
  void forget_unheld(const base::HashedName& topic);

 private:
  struct Entry {
    explicit Entry(std::string_view of) : topic(of) {}
    [[nodiscard]] const std::string& name() const { return topic; }
    [[nodiscard]] bool known() const { return epoch.front() != 0; }
    [[nodiscard]] Position at(std::uint64_t place) const {
      return {std::string(epoch.data(), epoch.size()), place};
    }
    std::string topic;
    std::array<char, kOwnEpoch> epoch{};  // of make_epoch()
    std::uint32_t holders = 0;
    std::uint64_t offset = 0;
  };
  Entry& open(const base::HashedName& topic);
  Entry& known(const base::HashedName& topic);
  void release(Entry& entry);

  std::mutex mutex_;
  base::NameTable<Entry> entries_;
  std::mt19937_64 random_;
};

}  // namespace httpuv::server
