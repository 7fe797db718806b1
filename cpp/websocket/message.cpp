#include "websocket/message.h"

#include <algorithm>

namespace httpuv::websocket {

Message::Blocks::~Blocks() {
  for (Block& block : list) base::spare_strings().give(std::move(block.memory));
}

std::optional<std::string_view> Message::whole() const {
  if (blocks_ == nullptr) return head_;
  if (!head_.empty() || blocks_->list.size() != 1) return {};
  return blocks_->list.front().payload();
}

std::string Message::joined() const {
  std::string all;
  all.reserve(size());
  each([&](std::string_view piece) { all.append(piece); });
  return all;
}

void Message::reserve(std::size_t bytes, std::size_t most) {
  if (blocks_ == nullptr && bytes > head_.capacity()) head_.reserve(std::min(most, kShort));
}

char* Message::append(std::string_view bytes) {
  if (blocks_ == nullptr && head_.size() + bytes.size() <= kShort) {
    const std::size_t at = head_.size();
    head_.append(bytes);
    return head_.data() + at;
  }
  char* const to = room(bytes.size()).data();
  std::copy(bytes.begin(), bytes.end(), to);
  grow(bytes.size());
  return to;
}

void Message::take(std::string&& block, std::size_t begin, std::size_t size) {
  // What is behind the payload belongs to what comes after the message.
  add({std::move(block), begin, size, begin + size});
}

void Message::add(Block&& block) {
  if (blocks_ == nullptr) blocks_ = std::make_unique<Blocks>();
  blocks_->list.reserve(blocks_->list.size() + 1);
  blocks_->bytes += block.size;
  blocks_->list.push_back(std::move(block));
}

std::span<char> Message::room(std::size_t least) {
  if (const std::span<char> found = tail(); found.size() >= least) return found;
  add({base::spare_strings().take_whole(), 0, 0, base::SpareStrings::kSize});
  return tail();
}

std::span<char> Message::tail() {
  if (blocks_ == nullptr || blocks_->list.empty()) return {};
  Block& last = blocks_->list.back();
  const std::size_t from = last.begin + last.size;
  if (from == last.end) return {};
  return {last.memory.data() + from, last.end - from};
}

void Message::grow(std::size_t bytes) {
  blocks_->list.back().size += bytes;
  blocks_->bytes += bytes;
}

}  // namespace httpuv::websocket
