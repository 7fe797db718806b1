#include "server/message/topic/sequencer.h"

#include <algorithm>
#include <string_view>

namespace httpuv::server {

TopicHold::~TopicHold() {
  if (sequencer_ != nullptr) sequencer_->release(topic_);
}

Sequencer::Sequencer()
    : random_([] {
        std::random_device device;
        return (std::uint64_t{device()} << 32) ^ device();
      }()) {}

Sequencer::Entry& Sequencer::known(const std::string& topic) {
  Entry& entry = entries_[topic];
  if (!entry.known()) make_epoch(random_).copy(entry.epoch.data(), entry.epoch.size());
  return entry;
}

void Sequencer::hold(const std::string& topic, const Position& at) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[topic];
  if (!entry.known()) {
    at.epoch.copy(entry.epoch.data(), entry.epoch.size());
    entry.offset = at.offset;
  }
  ++entry.holders;
}

void Sequencer::release(Entries::iterator entry) {
  if (entry->second.holders > 0) --entry->second.holders;
  if (entry->second.holders == 0) entries_.erase(entry);
}

void Sequencer::release(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(topic);
  if (found != entries_.end()) release(found);
}

bool Sequencer::release_at(const std::string& topic, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(topic);
  if (found == entries_.end()) return true;
  if (found->second.offset != offset) return false;
  release(found);
  return true;
}

void Sequencer::forget_unheld(const std::string& topic) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(topic);
  if (found != entries_.end() && found->second.holders == 0) entries_.erase(found);
}

std::string make_epoch(std::mt19937_64& random) {
  constexpr std::string_view kDigits =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  std::string epoch(kOwnEpoch, '0');
  std::uint64_t bits = random();
  for (char& c : epoch) {
    c = kDigits[bits & 63];
    bits >>= 6;
  }
  return epoch;
}

}  // namespace httpuv::server
