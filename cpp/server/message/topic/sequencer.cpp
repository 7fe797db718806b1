#include "server/message/topic/sequencer.h"

#include <memory>
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

Sequencer::Entry& Sequencer::open(const base::HashedName& topic) {
  if (Entry* const entry = entries_.find(topic)) return *entry;
  return entries_.add(std::make_unique<Entry>(topic.text), topic.hash);
}

Sequencer::Entry& Sequencer::known(const base::HashedName& topic) {
  Entry& entry = open(topic);
  if (!entry.known()) make_epoch(random_).copy(entry.epoch.data(), entry.epoch.size());
  return entry;
}

void Sequencer::hold(const base::HashedName& topic, const Position& at) {
  const std::lock_guard lock(mutex_);
  Entry& entry = open(topic);
  if (!entry.known()) {
    at.epoch.copy(entry.epoch.data(), entry.epoch.size());
    entry.offset = at.offset;
  }
  ++entry.holders;
}

void Sequencer::release(Entry& entry) {
  if (entry.holders > 0) --entry.holders;
  if (entry.holders == 0) entries_.erase(entry.name());
}

void Sequencer::release(const base::HashedName& topic) {
  const std::lock_guard lock(mutex_);
  if (Entry* const entry = entries_.find(topic)) release(*entry);
}

bool Sequencer::release_at(const base::HashedName& topic, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  Entry* const entry = entries_.find(topic);
  if (entry == nullptr) return true;
  if (entry->offset != offset) return false;
  release(*entry);
  return true;
}

void Sequencer::forget_unheld(const base::HashedName& topic) {
  const std::lock_guard lock(mutex_);
  const Entry* const entry = entries_.find(topic);
  if (entry != nullptr && entry->holders == 0) entries_.erase(topic);
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
