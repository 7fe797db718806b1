// The requests of one connection that wait for their answers, in the order of their arrival (RFC
// 9112 section 9.3.2). Answers may be made in any order; they are sent in this order.
//
// Sans-I/O, no thread of its own; a part of a Wire. `Entry` is a WireExchange with what its user
// keeps for it. A ring; `release()` gives its heap memory back when it stays empty. Never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "http/message/content.h"
#include "http/wire/exchange_state.h"

namespace httpuv::http {

// What the order and the framing of an answer depend on.
struct WireExchange {
  std::uint32_t sequence = 0;
  std::uint8_t minor_version = 1;
  bool is_head = false;
  bool is_connect = false;
  bool keep_alive = true;  // what the request asked for; false: its answer is the last
  AnswerSide answer;

  [[nodiscard]] AskedBy asked_by() const { return {is_head, is_connect, minor_version}; }
};

template <class Entry>
class ExchangeQueue {
 public:
  // Opens the next exchange; sequence numbers count up from 0 and wrap.
  Entry& open() {
    if (head_ > 0 && entries_.size() == entries_.capacity()) compact();
    entries_.emplace_back();
    entries_.back().sequence = next_++;
    return entries_.back();
  }

  // Whether there ever was one.
  [[nodiscard]] bool used() const { return next_ != 0; }
  [[nodiscard]] bool empty() const { return head_ == entries_.size(); }
  [[nodiscard]] std::size_t size() const { return entries_.size() - head_; }
  [[nodiscard]] Entry& front() { return entries_[head_]; }
  [[nodiscard]] const Entry& front() const { return entries_[head_]; }
  [[nodiscard]] Entry& back() { return entries_.back(); }

  // The open exchange with that number, or null if it was closed.
  [[nodiscard]] Entry* find(std::uint32_t sequence) {
    if (empty()) return nullptr;
    const std::uint32_t distance = sequence - front().sequence;
    return distance < size() ? &entries_[head_ + distance] : nullptr;
  }
  [[nodiscard]] bool is_front(const Entry& entry) const { return &entry == &entries_[head_]; }

  void close_front() {
    if (head_ + 1 < entries_.size()) {
      entries_[head_++] = Entry();
      return;
    }
    clear();
    if (entries_.capacity() > kKept) release();
  }

  // Calls f(Entry&) for each open exchange, oldest first; f may not open or close any.
  template <class F>
  void each(F&& f) {
    for (std::size_t i = head_; i < entries_.size(); ++i) f(entries_[i]);
  }

  void clear() {
    entries_.clear();
    head_ = 0;
  }

  // Releases the memory; for a connection that becomes idle.
  void release() {
    if (empty()) std::vector<Entry>().swap(entries_);
  }

 private:
  static constexpr std::size_t kKept = 4;  // room for more is not kept by a connection that idles

  void compact() {
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }

  std::vector<Entry> entries_;
  std::size_t head_ = 0;
  std::uint32_t next_ = 0;
};

}  // namespace httpuv::http
