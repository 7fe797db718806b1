// A pool of unused envelopes and request heads. Loop thread only. The pool is bounded, in number
// and in the memory of each object.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "http/wire/incoming.h"
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

  // Lends a cleared head with memory for a usual one, if there is one.
  void lend_head(http::Incoming& to) {
    if (heads_.empty()) return;
    to.lend(heads_.back());
    heads_.pop_back();
  }

  // What it says is not used any more.
  void give_head(http::RequestHead&& head) {
    head.clear();
    if (heads_.size() >= kMaxSpare || head.bytes.capacity() == 0 ||
        footprint(head) > kMaxFootprint) {
      return;
    }
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
