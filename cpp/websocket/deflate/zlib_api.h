// The compression library, under one spelling: zlib-ng's own interface or, with HTTPUV_ZLIB_NG=0,
// plain zlib.
//
// Internal: only deflater.cpp and inflater.cpp (and their tests) include it. Streams here are
// always raw DEFLATE, which is what RFC 7692 wants.
#pragma once

#include <cstddef>
#include <cstdint>

#if HTTPUV_ZLIB_NG
#include <zlib-ng.h>
#else
#include <zlib.h>
#endif

namespace httpuv::websocket::zlib {

#if HTTPUV_ZLIB_NG
using Stream = zng_stream;

// The library chooses its functions for this processor at the first use of any, and takes no lock.
inline bool choose_functions() {
  return zng_adler32(1, nullptr, 0) == 1;
}

inline int deflate_init(Stream& s, int level, int window_bits, int mem_level, int strategy) {
  return zng_deflateInit2(&s, level, Z_DEFLATED, -window_bits, mem_level, strategy);
}
inline int deflate(Stream& s, int flush) {
  return zng_deflate(&s, flush);
}
inline int deflate_reset(Stream& s) {
  return zng_deflateReset(&s);
}
inline int deflate_end(Stream& s) {
  return zng_deflateEnd(&s);
}
inline int inflate_init(Stream& s, int window_bits) {
  return zng_inflateInit2(&s, -window_bits);
}
inline int inflate(Stream& s, int flush) {
  return zng_inflate(&s, flush);
}
inline int inflate_reset(Stream& s) {
  return zng_inflateReset(&s);
}
inline int inflate_end(Stream& s) {
  return zng_inflateEnd(&s);
}
#else
using Stream = z_stream;

inline bool choose_functions() {
  return true;
}

inline int deflate_init(Stream& s, int level, int window_bits, int mem_level, int strategy) {
  return ::deflateInit2(&s, level, Z_DEFLATED, -window_bits, mem_level, strategy);
}
inline int deflate(Stream& s, int flush) {
  return ::deflate(&s, flush);
}
inline int deflate_reset(Stream& s) {
  return ::deflateReset(&s);
}
inline int deflate_end(Stream& s) {
  return ::deflateEnd(&s);
}
inline int inflate_init(Stream& s, int window_bits) {
  return ::inflateInit2(&s, -window_bits);
}
inline int inflate(Stream& s, int flush) {
  return ::inflate(&s, flush);
}
inline int inflate_reset(Stream& s) {
  return ::inflateReset(&s);
}
inline int inflate_end(Stream& s) {
  return ::inflateEnd(&s);
}
#endif

// The library counts in 32 bits; larger spans are taken in pieces of this size.
inline constexpr std::size_t kMaxSpan = std::size_t{1} << 30;

inline void set_input(Stream& s, const char* data, std::size_t size) {
  // Plain zlib declares the input non-const, and does not write to it.
  s.next_in = reinterpret_cast<decltype(s.next_in)>(const_cast<char*>(data));
  s.avail_in = static_cast<decltype(s.avail_in)>(size);
}

inline void set_output(Stream& s, char* data, std::size_t size) {
  s.next_out = reinterpret_cast<decltype(s.next_out)>(data);
  s.avail_out = static_cast<decltype(s.avail_out)>(size);
}

}  // namespace httpuv::websocket::zlib
