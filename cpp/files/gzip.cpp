#include "files/gzip.h"

#include <cstdint>

#if HTTPUV_ZLIB_NG
#include <zlib-ng.h>
#else
#include <zlib.h>
#endif

namespace httpuv::files {
namespace {

constexpr int kLevel = 6;
constexpr int kWindow = 15 + 16;  // 32 KiB; + 16: with the gzip header
constexpr int kMemory = 8;

// The two libraries differ in names and in whether their input is const.
#if HTTPUV_ZLIB_NG
using Stream = zng_stream;
int open_stream(Stream& s) {
  return zng_deflateInit2(&s, kLevel, Z_DEFLATED, kWindow, kMemory, Z_DEFAULT_STRATEGY);
}
std::size_t bound(Stream& s, std::size_t size) {
  return zng_deflateBound(&s, size);
}
int finish(Stream& s) {
  return zng_deflate(&s, Z_FINISH);
}
void close_stream(Stream& s) {
  zng_deflateEnd(&s);
}
const std::uint8_t* input(const char* bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes);
}
#else
using Stream = z_stream;
int open_stream(Stream& s) {
  return deflateInit2(&s, kLevel, Z_DEFLATED, kWindow, kMemory, Z_DEFAULT_STRATEGY);
}
std::size_t bound(Stream& s, std::size_t size) {
  return deflateBound(&s, size);
}
int finish(Stream& s) {
  return deflate(&s, Z_FINISH);
}
void close_stream(Stream& s) {
  deflateEnd(&s);
}
Bytef* input(const char* bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes));
}
#endif

}  // namespace

std::optional<std::string> gzip(std::string_view bytes) {
  Stream stream = {};
  if (open_stream(stream) != Z_OK) return std::nullopt;
  std::string out(bound(stream, bytes.size()), '\0');
  stream.next_in = input(bytes.data());
  stream.avail_in = static_cast<std::uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<std::uint32_t>(out.size());
  const int result = finish(stream);
  out.resize(out.size() - stream.avail_out);
  close_stream(stream);
  if (result != Z_STREAM_END) return std::nullopt;
  out.shrink_to_fit();
  return out;
}

}  // namespace httpuv::files
