#include "coding/gzip.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#if HTTPUV_ZLIB_NG
#include <zlib-ng.h>
#else
#include <zlib.h>
#endif

namespace httpuv::coding {
namespace {

constexpr int kLevel = 6;
constexpr int kWindow = 15 + 16;  // 32 KiB; + 16: with the gzip header
constexpr int kMemory = 8;
constexpr std::size_t kBlock = std::size_t{16} * 1024;
constexpr std::size_t kSlice = std::size_t{64} * 1024;
constexpr std::size_t kMaxSpan = std::size_t{1} << 30;  // the library counts in 32 bits

// The two libraries differ in names and in whether their input is const.
#if HTTPUV_ZLIB_NG
using Stream = zng_stream;
int open_stream(Stream& s) {
  return zng_deflateInit2(&s, kLevel, Z_DEFLATED, kWindow, kMemory, Z_DEFAULT_STRATEGY);
}
int deflate_some(Stream& s, int flush) {
  return zng_deflate(&s, flush);
}
void close_stream(Stream& s) {
  zng_deflateEnd(&s);
}
#else
using Stream = z_stream;
int open_stream(Stream& s) {
  return deflateInit2(&s, kLevel, Z_DEFLATED, kWindow, kMemory, Z_DEFAULT_STRATEGY);
}
int deflate_some(Stream& s, int flush) {
  return deflate(&s, flush);
}
void close_stream(Stream& s) {
  deflateEnd(&s);
}
#endif

}  // namespace

namespace {

int flush_of(GzipStream::Until until) {
  switch (until) {
    case GzipStream::Until::kMore:
      return Z_NO_FLUSH;
    case GzipStream::Until::kFlushed:
      return Z_SYNC_FLUSH;
    case GzipStream::Until::kEnd:
      return Z_FINISH;
  }
  return Z_FINISH;
}

}  // namespace

struct GzipStream::Impl {
  Stream stream = {};
  bool ready = false;  // it exists and never failed
};

GzipStream::GzipStream() : impl_(std::make_unique<Impl>()) {
  impl_->ready = open_stream(impl_->stream) == Z_OK;
}

GzipStream::~GzipStream() {
  close_stream(impl_->stream);
}

bool GzipStream::code(std::string_view bytes, Until until, std::string& out) {
  if (!impl_->ready) return false;
  Stream& stream = impl_->stream;
  char block[kBlock];
  do {
    const std::size_t span = std::min(bytes.size(), kMaxSpan);
    stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<decltype(stream.avail_in)>(span);
    bytes.remove_prefix(span);
    const int flush = bytes.empty() ? flush_of(until) : Z_NO_FLUSH;
    int result = Z_OK;
    do {
      stream.next_out = reinterpret_cast<decltype(stream.next_out)>(block);
      stream.avail_out = sizeof block;
      result = deflate_some(stream, flush);
      // Z_BUF_ERROR: the last block was filled exactly and nothing is left to say.
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        return impl_->ready = false;
      }
      out.append(block, sizeof block - stream.avail_out);
    } while (stream.avail_out == 0 && result != Z_STREAM_END);
  } while (!bytes.empty());
  return true;
}

bool GzipSlices::code(GzipStream& stream, std::string& out) {
  const std::string_view slice = rest_.substr(0, kSlice);
  rest_.remove_prefix(slice.size());
  failed_ = !stream.code(slice, rest_.empty() ? until_ : GzipStream::Until::kMore, out);
  return !failed_ && !rest_.empty();
}

bool GzipBody::code() {
  if (stream_ == nullptr) stream_ = std::make_unique<GzipStream>();
  if (slices_.code(*stream_, coded_)) return true;
  stream_.reset();
  return false;
}

std::optional<std::string> GzipBody::take() {
  if (slices_.failed()) return std::nullopt;
  coded_.shrink_to_fit();
  return std::move(coded_);
}

std::optional<std::string> gzip(std::string_view bytes) {
  GzipStream stream;
  std::string out;
  if (!stream.code(bytes, GzipStream::Until::kEnd, out)) return std::nullopt;
  out.shrink_to_fit();
  return out;
}

}  // namespace httpuv::coding
