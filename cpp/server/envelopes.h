// The envelopes that are not on their way: those that came back are used again. Loop thread only.
// What it keeps is bounded, in number and in the memory of each.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "server/message.h"

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

 private:
  static constexpr std::size_t kMaxSpare = 256;
  static constexpr std::size_t kMaxFootprint = 16 * 1024;

  static std::size_t footprint(const Envelope& envelope) {
    const auto* const answer = std::get_if<std::string>(&envelope.answer);
    return envelope.request.bytes.capacity() +
           envelope.request.fields.capacity() * sizeof(http::HeaderField) +
           envelope.head.fields().capacity() + (answer != nullptr ? answer->capacity() : 0);
  }

  std::vector<EnvelopePtr> spare_;
};

}  // namespace httpuv::server
