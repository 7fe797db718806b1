// A message's payload in the memory that it was read into.
//
// What: up to kShort bytes stand in one string, the head. What comes after that stands in blocks,
//   which are strings of base::spare_strings(): the one that the kernel wrote it to, or others that
//   are read into directly. So a long payload is copied once, into Python's object.
// Thread: one at a time: the loop's, then the one that handles the event.
// Owner: the reader of the frames, then the event. The blocks go back to the spare strings.
// Failure: std::bad_alloc; the message is as it was.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/spare_strings.h"

namespace httpuv::websocket {

class Message {
 public:
  // At least half of a block that is taken over is payload, and a block more is taken only when as
  // much has come: what is held is bounded by what was sent, not by what was announced.
  static constexpr std::size_t kShort = base::SpareStrings::kSize / 2;

  [[nodiscard]] std::size_t size() const {
    return head_.size() + (blocks_ != nullptr ? blocks_->bytes : 0);
  }
  // Bytes of memory: those of the head, and whole blocks.
  [[nodiscard]] std::size_t held() const {
    return head_.size() +
           (blocks_ != nullptr ? blocks_->list.size() * base::SpareStrings::kSize : 0);
  }

  // Calls f(std::string_view) for each piece, in order.
  template <class F>
  void each(const F& f) const {
    if (!head_.empty()) f(std::string_view(head_));
    if (blocks_ == nullptr) return;
    for (const Block& block : blocks_->list) f(block.payload());
  }
  // All of it, if it stands in one piece.
  [[nodiscard]] std::optional<std::string_view> whole() const;
  [[nodiscard]] std::string joined() const;
  [[nodiscard]] std::string take_head() { return std::exchange(head_, {}); }

  // The head is about to have so many bytes, and perhaps up to `most` later.
  void reserve(std::size_t bytes, std::size_t most);
  // Copies, at most a block; returns where they stand now, one behind the other.
  char* append(std::string_view bytes);
  // Keeps a whole spare string, and of it these bytes as payload.
  void take(std::string&& block, std::size_t begin, std::size_t size);
  // Where more may be written behind the payload: at least so many bytes of a block (which has
  // more than that). grow() makes payload of them.
  std::span<char> room(std::size_t least);
  // The same as far as there is room, perhaps none.
  [[nodiscard]] std::span<char> tail();
  void grow(std::size_t bytes);

 private:
  struct Block {
    std::string memory;  // SpareStrings::take_whole()
    std::size_t begin = 0;
    std::size_t size = 0;
    std::size_t end = 0;  // of what may become payload
    [[nodiscard]] std::string_view payload() const { return {memory.data() + begin, size}; }
  };
  struct Blocks {
    std::vector<Block> list;
    std::size_t bytes = 0;  // of payload
    Blocks() = default;
    Blocks(const Blocks&) = delete;
    Blocks& operator=(const Blocks&) = delete;
    ~Blocks();
  };
  void add(Block&& block);

  std::string head_;
  std::unique_ptr<Blocks> blocks_;
};

}  // namespace httpuv::websocket
