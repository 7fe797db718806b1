#include "websocket/deflate/deflate_pool.h"

#include <algorithm>

namespace httpuv::websocket {

DeflatePool::DeflatePool(const DeflateTuning& tuning) : tuning_(tuning) {}

Deflater& DeflatePool::stateless_deflater(int window_bits) {
  std::unique_ptr<Deflater>& slot =
      deflaters_[static_cast<std::size_t>(std::clamp(window_bits, 8, 15) - 8)];
  if (slot) {
    slot->reset();
  } else {
    slot = std::make_unique<Deflater>(window_bits, tuning_);
  }
  return *slot;
}

std::unique_ptr<Inflater> DeflatePool::borrow_inflater() {
  if (spare_.empty()) return std::make_unique<Inflater>(15);
  std::unique_ptr<Inflater> inflater = std::move(spare_.back());
  spare_.pop_back();
  return inflater;
}

void DeflatePool::give_back(std::unique_ptr<Inflater> inflater) {
  if (spare_.size() >= kSpareInflaters) return;
  inflater->reset();
  if (inflater->fault() == Fault::kNone) spare_.push_back(std::move(inflater));
}

std::string& DeflatePool::scratch() {
  if (scratch_.capacity() > kMaxScratch) std::string().swap(scratch_);
  scratch_.clear();
  return scratch_;
}

char* DeflatePool::block() {
  if (!block_) block_ = std::make_unique_for_overwrite<char[]>(kBlock);
  return block_.get();
}

}  // namespace httpuv::websocket
