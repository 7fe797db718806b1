// The queue of data to send: bytes that were copied, moved or shared, and ranges of files.
//
// What: a queue of chunks, small pieces merged, each with what it holds in memory charged.
// Thread: the loop thread. Ownership: by an Outbox or a TLS stream. Failure: memory
// (std::bad_alloc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/charge.h"
#include "net/file/file_ref.h"

namespace httpuv::net {

class Chunks {
 public:
  struct FileRange {
    FileRef file;
    std::uint64_t offset;
    std::uint64_t length;
  };

  // Where what they take in memory is counted; files, and what is shared, are their owners', except
  // what is held. While nothing is here.
  void charge_to(base::Charge&& charge) { charge_ = std::move(charge); }

  // The first `locked` chunks are in use as they are: nothing is merged into them.
  void add_copy(std::string_view bytes, std::size_t locked = 0);
  // Without the first `sent` bytes.
  void add_owned(std::string&& bytes, std::size_t sent, std::size_t locked = 0);
  // `held`: bytes of the owner that are charged here.
  void add_shared(std::string_view bytes, const std::shared_ptr<const void>& owner,
                  std::size_t held, std::size_t locked = 0);
  void add_file(FileRef file, std::uint64_t offset, std::uint64_t length);

  [[nodiscard]] bool empty() const { return chunks_.empty(); }
  [[nodiscard]] std::size_t count() const { return chunks_.size(); }
  // Those of ranges do not count.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // The range at that place, or null where there are bytes.
  [[nodiscard]] FileRange* file_at(std::size_t index) {
    return std::get_if<FileRange>(&chunks_[index]);
  }
  // The bytes at that place, which is no range.
  [[nodiscard]] std::string_view bytes_at(std::size_t index) const;

  // So many bytes from the front were sent; they are of one chunk.
  void advance(std::size_t count);
  // All of the first `count` chunks, which are no ranges, were sent.
  void drop(std::size_t count);

 private:
  struct Shared {
    std::string_view bytes;
    std::shared_ptr<const void> owner;
    std::size_t held;
  };
  struct Owned {
    std::string bytes;
    std::size_t sent;
  };
  using Chunk = std::variant<Owned, Shared, FileRange>;

  static std::size_t cost_of(const Chunk& chunk);
  void add(Chunk&& chunk);

  base::Charge charge_;
  std::deque<Chunk> chunks_;
  std::size_t bytes_ = 0;
};

}  // namespace httpuv::net
