// One compressor: payload in, the payload of a permessage-deflate frame out (RFC 7692
// section 7.2.1).
//
// Owned by one loop's DeflatePool (shared by every session without context takeover) or by one
// session. Not thread-safe. Failure (out of memory) is sticky: compress() returns false and nothing
// was appended.
//
// What one costs, in KiB, at memory level 5 (zlib-ng 2.3.3, zlib 1.2.13):
//
//   window bits     9    10    12    15
//   zlib-ng       146   148   160   272    (128 of it the hash table, whatever the window)
//   zlib           24    26    38   150
//
// 1 KiB of JSON without context, on one machine: level 1 to 42 % in about 3 us, level 2 to 32 % in
// 9 us, level 6 to 31 % in 12 us or more. Of that, 1 us or more is spent on clearing the hash
// table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace httpuv::websocket {

struct DeflateTuning {
  int level = 1;
  int mem_level = 5;
};

class Deflater {
 public:
  // window_bits 8..15. A 256-byte window, which zlib cannot do for raw DEFLATE, is honoured by
  // never referring back more than one byte (run-length matches only).
  Deflater(int window_bits, const DeflateTuning& tuning);
  ~Deflater();
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  // Appends the compressed payload without its final 00 00 FF FF.
  bool compress(std::string_view payload, std::string& out);

  // The same for a payload that is not empty, in parts; `out` holds what came of those before.
  bool compress_part(std::string_view part, bool last, std::string& out);

  // Forgets the window: nothing compressed later refers to anything before.
  void reset();

 private:
  bool feed(std::string_view bytes, bool last, std::string& out);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace httpuv::websocket
