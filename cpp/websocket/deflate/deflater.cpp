#include "websocket/deflate/deflater.h"

#include <algorithm>

#include "websocket/deflate/zlib_api.h"

namespace httpuv::websocket {
namespace {

constexpr std::size_t kBlock = std::size_t{16} * 1024;
// Every sync flush ends so, and every message is sent without it (RFC 7692 section 7.2.1).
constexpr std::string_view kFlushTail("\x00\x00\xFF\xFF", 4);

// While the program is loaded, by the one thread that there is.
[[maybe_unused]] const bool kFunctionsChosen = zlib::choose_functions();

}  // namespace

struct Deflater::Impl {
  zlib::Stream stream = {};
  bool ready = false;  // the stream exists and never failed
};

Deflater::Deflater(int window_bits, const DeflateTuning& tuning) : impl_(std::make_unique<Impl>()) {
  // Runs of one byte are all that a 256-byte window leaves of what zlib can do: the smallest it
  // keeps itself is 512.
  const bool tiny = window_bits <= 8;
  impl_->ready = zlib::deflate_init(impl_->stream, tuning.level, tiny ? 9 : window_bits,
                                    tuning.mem_level, tiny ? Z_RLE : Z_DEFAULT_STRATEGY) == Z_OK;
}

Deflater::~Deflater() {
  zlib::deflate_end(impl_->stream);
}

bool Deflater::compress(std::string_view payload, std::string& out) {
  if (!impl_->ready) return false;
  if (payload.empty()) {
    // A flush without data would be swallowed; this is the empty block it would have written
    // (section 7.2.3.6).
    out.push_back('\0');
    return true;
  }
  const std::size_t start = out.size();
  if (!feed(payload, true, out)) {
    out.resize(start);
    return false;
  }
  if (out.size() - start < kFlushTail.size() || !out.ends_with(kFlushTail)) impl_->ready = false;
  out.resize(impl_->ready ? out.size() - kFlushTail.size() : start);
  return impl_->ready;
}

bool Deflater::compress_part(std::string_view part, bool last, std::string& out) {
  if (!impl_->ready || !feed(part, last, out)) return false;
  if (!last) return true;
  impl_->ready = out.ends_with(kFlushTail);
  if (impl_->ready) out.resize(out.size() - kFlushTail.size());
  return impl_->ready;
}

bool Deflater::feed(std::string_view bytes, bool last, std::string& out) {
  zlib::Stream& stream = impl_->stream;
  char block[kBlock];
  while (!bytes.empty()) {
    const std::size_t span = std::min(bytes.size(), zlib::kMaxSpan);
    zlib::set_input(stream, bytes.data(), span);
    bytes.remove_prefix(span);
    const int flush = bytes.empty() && last ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    do {
      zlib::set_output(stream, block, sizeof block);
      const int result = zlib::deflate(stream, flush);
      // Z_BUF_ERROR: the last block was filled exactly and nothing is left to say.
      if (result != Z_OK && result != Z_BUF_ERROR) impl_->ready = false;
      out.append(block, sizeof block - stream.avail_out);
    } while (impl_->ready && stream.avail_out == 0);
  }
  return impl_->ready;
}

void Deflater::reset() {
  if (impl_->ready) impl_->ready = zlib::deflate_reset(impl_->stream) == Z_OK;
}

}  // namespace httpuv::websocket
