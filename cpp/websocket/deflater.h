// One compressor: payload in, the payload of a permessage-deflate frame out (RFC 7692
// section 7.2.1).
//
// Owned by one loop's DeflatePool (shared by every session without context takeover) or by one
// session. Not thread-safe. Failure (out of memory) is sticky: compress() returns false and nothing
// was appended.
//
// Memory, measured by test_deflater: see DeflateTuning.
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

  // Forgets the window: nothing compressed later refers to anything before.
  void reset();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace httpuv::websocket
