#include "websocket/prepared_message.h"

#include <algorithm>

#include "websocket/frame.h"

namespace httpuv::websocket {
namespace {

std::size_t index_of(int window_bits) {
  return static_cast<std::size_t>(std::clamp(window_bits, 8, 15) - 8);
}

}  // namespace

PreparedMessage::PreparedMessage(bool text, std::string_view payload)
    : payload_size_(payload.size()), text_(text) {
  append_frame(plain_, text ? Opcode::kText : Opcode::kBinary, false, payload);
}

std::string_view PreparedMessage::payload() const {
  return std::string_view(plain_).substr(plain_.size() - payload_size_);
}

std::string_view PreparedMessage::compressed(int window_bits, DeflatePool& pool) {
  Variant& variant = compressed_[index_of(window_bits)];
  if (!variant.made) {
    variant.made = true;
    std::string& body = pool.scratch();
    if (pool.stateless_deflater(window_bits).compress(payload(), body) &&
        body.size() < payload_size_) {
      append_frame(variant.frame, text_ ? Opcode::kText : Opcode::kBinary, true, body);
    }
  }
  return variant.frame.empty() ? plain() : std::string_view(variant.frame);
}

bool PreparedMessage::has_compressed(int window_bits) const {
  return compressed_[index_of(window_bits)].made;
}

}  // namespace httpuv::websocket
