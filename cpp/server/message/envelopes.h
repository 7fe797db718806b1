// A pool of unused envelopes and request heads. Loop thread only. The pool is bounded, in number
// and in the memory of each object.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "server/message/envelope.h"

namespace httpuv::server {

class Envelopes {
 public:
  EnvelopePtr take() {
    if (spare_.empty()) return std::make_unique<Envelope>();
    EnvelopePtr envelope = std::move(spare_.back());
    spare_.pop_back();
    return envelope;
  }

  void give(EnvelopePtr&& envelope) {
    if (spare_.size() >= kMaxSpare || footprint(*envelope) > kMaxFootprint) {
      envelope.reset();
      return;
    }
    envelope->clear();
    spare_.push_back(std::move(envelope));
  }

  // A cleared head with memory for a usual one, or a new head.
  http::RequestHead take_head() {
    if (heads_.empty()) return {};
    http::RequestHead head = std::move(heads_.back());
    heads_.pop_back();
    return head;
  }

  void give_head(http::RequestHead&& head) {
    if (heads_.size() >= kMaxSpare || head.bytes.capacity() == 0 ||
        footprint(head) > kMaxFootprint) {
      return;
    }
    head.clear();
    heads_.push_back(std::move(head));
  }

 private:
  static constexpr std::size_t kMaxSpare = 256;
  static constexpr std::size_t kMaxFootprint = 16 * 1024;

  static std::size_t footprint(const http::RequestHead& head) {
    return head.bytes.capacity() + head.fields.capacity() * sizeof(http::HeaderField);
  }
  static std::size_t footprint(const Envelope& envelope) {
    const auto* const answer = std::get_if<std::string>(&envelope.answer);
    return footprint(envelope.request) + envelope.body.bytes.capacity() +
           envelope.head.fields().capacity() + (answer != nullptr ? answer->capacity() : 0);
  }

  std::vector<EnvelopePtr> spare_;
  std::vector<http::RequestHead> heads_;
};

}  // namespace httpuv::server
