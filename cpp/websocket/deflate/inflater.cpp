#include "websocket/deflate/inflater.h"

#include <algorithm>

#include "websocket/deflate/zlib_api.h"

namespace httpuv::websocket {
namespace {

constexpr std::string_view kMessageTail("\x00\x00\xFF\xFF", 4);
// zlib's data_type after inflate(): this bit says that it stands between two blocks.
constexpr int kBetweenBlocks = 128;

}  // namespace

struct Inflater::Impl {
  zlib::Stream stream = {};
  Fault fault = Fault::kNone;
  bool ended = false;  // a block with BFINAL is behind us (section 7.2.3.5): a new stream starts
                       // with the next byte
  bool finishing = false;  // `tail` is what is left of kMessageTail
  std::string_view tail;
};

Inflater::Inflater(int window_bits) : impl_(std::make_unique<Impl>()) {
  if (zlib::inflate_init(impl_->stream, window_bits) != Z_OK) impl_->fault = Fault::kOutOfMemory;
}

Inflater::~Inflater() {
  zlib::inflate_end(impl_->stream);
}

Fault Inflater::fault() const {
  return impl_->fault;
}

Inflater::Status Inflater::inflate(std::string_view& input, char* to, std::size_t room,
                                   std::size_t& produced) {
  produced = 0;
  zlib::Stream& stream = impl_->stream;
  while (impl_->fault == Fault::kNone) {
    if (impl_->ended) {
      if (input.empty()) return Status::kDone;
      zlib::inflate_reset(stream);
      impl_->ended = false;
    }
    if (produced == room) return Status::kMore;
    const std::size_t span = std::min(input.size(), zlib::kMaxSpan);
    zlib::set_input(stream, input.data(), span);
    zlib::set_output(stream, to + produced, room - produced);
    const int result = zlib::inflate(stream, Z_SYNC_FLUSH);
    input.remove_prefix(span - stream.avail_in);
    produced = room - stream.avail_out;
    if (result == Z_STREAM_END) {
      impl_->ended = true;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      impl_->fault = result == Z_MEM_ERROR ? Fault::kOutOfMemory : Fault::kBadDeflate;
    } else if (stream.avail_out != 0 && input.empty()) {
      return Status::kDone;
    }
  }
  return Status::kError;
}

Inflater::Status Inflater::finish(char* to, std::size_t room, std::size_t& produced) {
  produced = 0;
  if (impl_->fault != Fault::kNone) return Status::kError;
  if (!impl_->finishing) {
    // Nothing was cut off from a message that ends with BFINAL and no empty block behind.
    if (impl_->ended) return Status::kDone;
    impl_->tail = kMessageTail;
    impl_->finishing = true;
  }
  const Status status = inflate(impl_->tail, to, room, produced);
  if (status != Status::kDone) return status;
  impl_->finishing = false;
  if (!impl_->ended && (impl_->stream.data_type & kBetweenBlocks) == 0) {
    // The message stopped in the middle of a block and took the tail for its data.
    impl_->fault = Fault::kBadDeflate;
    return Status::kError;
  }
  return Status::kDone;
}

void Inflater::reset() {
  impl_->ended = false;
  impl_->finishing = false;
  if (impl_->fault != Fault::kOutOfMemory) impl_->fault = Fault::kNone;
  if (impl_->fault == Fault::kNone && zlib::inflate_reset(impl_->stream) != Z_OK)
    impl_->fault = Fault::kOutOfMemory;
}

}  // namespace httpuv::websocket
