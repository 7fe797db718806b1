#include "net/stream/chunks.h"

#include "base/spare_strings.h"

namespace httpuv::net {

namespace {

constexpr std::size_t kMergeBelow = 1024;  // smaller pieces are cheaper copied than kept
constexpr std::size_t kMergedChunk =
    std::size_t{64} * 1024;  // up to which pieces are copied together

}  // namespace

std::size_t Chunks::cost_of(const Chunk& chunk) {
  if (const auto* owned = std::get_if<Owned>(&chunk))
    return sizeof(Chunk) + owned->bytes.capacity();
  const auto* shared = std::get_if<Shared>(&chunk);
  return sizeof(Chunk) + (shared != nullptr ? shared->held : 0);
}

void Chunks::add(Chunk&& chunk) {
  charge_.grow(cost_of(chunk));
  chunks_.push_back(std::move(chunk));
}

void Chunks::add_copy(std::string_view bytes, std::size_t locked) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  if (chunks_.size() > locked) {
    auto* last = std::get_if<Owned>(&chunks_.back());
    if (last != nullptr && last->bytes.size() + bytes.size() <= kMergedChunk) {
      const std::size_t before = last->bytes.capacity();
      last->bytes += bytes;
      charge_.grow(last->bytes.capacity() - before);
      return;
    }
  }
  add(Owned{std::string(bytes), 0});
}

void Chunks::add_owned(std::string&& bytes, std::size_t sent, std::size_t locked) {
  if (bytes.size() - sent < kMergeBelow) {
    return add_copy(std::string_view(bytes).substr(sent), locked);
  }
  bytes_ += bytes.size() - sent;
  add(Owned{std::move(bytes), sent});
}

void Chunks::add_shared(std::string_view bytes, const std::shared_ptr<const void>& owner,
                        std::size_t held, std::size_t locked) {
  if (bytes.size() < kMergeBelow) return add_copy(bytes, locked);
  bytes_ += bytes.size();
  add(Shared{bytes, owner, held});
}

void Chunks::add_file(FileRef file, std::uint64_t offset, std::uint64_t length) {
  if (length > 0) add(FileRange{std::move(file), offset, length});
}

std::string_view Chunks::bytes_at(std::size_t index) const {
  const Chunk& chunk = chunks_[index];
  if (const auto* owned = std::get_if<Owned>(&chunk)) {
    return std::string_view(owned->bytes).substr(owned->sent);
  }
  return std::get<Shared>(chunk).bytes;
}

void Chunks::advance(std::size_t count) {
  std::size_t left = 0;
  if (auto* range = std::get_if<FileRange>(&chunks_.front())) {
    range->offset += count;
    range->length -= count;
    if (range->length > 0) return;
  } else {
    bytes_ -= count;
    if (auto* owned = std::get_if<Owned>(&chunks_.front())) {
      owned->sent += count;
      left = owned->bytes.size() - owned->sent;
    } else {
      auto& shared = std::get<Shared>(chunks_.front());
      shared.bytes.remove_prefix(count);
      left = shared.bytes.size();
    }
  }
  if (left > 0) return;
  charge_.resize(charge_.bytes() - cost_of(chunks_.front()));
  if (auto* const owned = std::get_if<Owned>(&chunks_.front())) {
    base::spare_strings().give(std::move(owned->bytes));
  }
  chunks_.pop_front();
}

void Chunks::drop(std::size_t count) {
  for (; count > 0; --count) advance(bytes_at(0).size());
}

}  // namespace httpuv::net
