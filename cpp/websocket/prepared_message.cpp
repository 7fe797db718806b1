#include "websocket/prepared_message.h"

#include <algorithm>
#include <utility>

#include "websocket/frame/frame.h"

namespace httpuv::websocket {
namespace {

constexpr std::size_t kSlice = std::size_t{128} * 1024;  // about a millisecond

}  // namespace

PreparedMessage::PreparedMessage(bool text, std::string_view payload)
    : payload_size_(payload.size()), text_(text) {
  append_frame(plain_, text ? Opcode::kText : Opcode::kBinary, false, payload);
}

std::string_view PreparedMessage::payload() const {
  return std::string_view(plain_).substr(plain_.size() - payload_size_);
}

const PreparedMessage::Variant* PreparedMessage::find(int window_bits) const {
  const auto found = std::find_if(compressed_.begin(), compressed_.end(), [&](const auto& each) {
    return each->window_bits == window_bits;
  });
  return found != compressed_.end() ? found->get() : nullptr;
}

std::string_view PreparedMessage::compressed(int window_bits, DeflatePool& pool) {
  const Variant* variant = find(window_bits);
  if (variant == nullptr) {
    std::string& body = pool.scratch();
    const bool done = pool.stateless_deflater(window_bits).compress(payload(), body);
    variant = &set_compressed(window_bits, done ? body : std::string_view());
  }
  return variant->frame.empty() ? plain() : std::string_view(variant->frame);
}

// `body` empty: compression failed.
PreparedMessage::Variant& PreparedMessage::set_compressed(int window_bits, std::string_view body) {
  Variant& variant = *compressed_.emplace_back(std::make_unique<Variant>(Variant{window_bits, {}}));
  if (!body.empty() && body.size() < payload_size_) {
    append_frame(variant.frame, text_ ? Opcode::kText : Opcode::kBinary, true, body);
  }
  return variant;
}

SlicedCompression::SlicedCompression(PreparedMessage& message, std::vector<int> windows)
    : message_(message), windows_(std::move(windows)) {}

bool SlicedCompression::compress() {
  if (windows_.empty()) return false;
  if (deflater_ == nullptr) {
    deflater_ = std::make_unique<Deflater>(windows_.back(), DeflateTuning());
    rest_ = message_.payload();
    body_.clear();
  }
  const std::string_view slice = rest_.substr(0, kSlice);
  rest_.remove_prefix(slice.size());
  const bool good = deflater_->compress_part(slice, rest_.empty(), body_);
  if (good && !rest_.empty()) return true;
  message_.set_compressed(windows_.back(), good ? body_ : std::string_view());
  windows_.pop_back();
  deflater_.reset();
  return !windows_.empty();
}

std::size_t PreparedMessage::memory() const {
  std::size_t bytes = plain_.size();
  for (const auto& each : compressed_) bytes += sizeof(Variant) + each->frame.size();
  return bytes;
}

}  // namespace httpuv::websocket
