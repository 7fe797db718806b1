// Masking of client payloads (RFC 6455 section 5.3), a word at a time.
//
// Pure functions, any thread. The key is the four bytes of the wire in memory order, so neither the
// host's byte order nor the payload's alignment matters.
#pragma once

#include <cstddef>
#include <cstdint>

namespace httpuv::websocket {

// Where one stands in the endlessly repeated key: the key for the next byte to come first.
class MaskKey {
 public:
  MaskKey() = default;
  explicit MaskKey(const unsigned char (&wire)[4]);

  // Masks or unmasks `size` bytes in place, and moves on by as many.
  void apply(char* data, std::size_t size);
  // The same from one place to another; the two must not overlap.
  void apply(char* to, const char* from, std::size_t size);

 private:
  std::uint32_t key_ = 0;
};

}  // namespace httpuv::websocket
