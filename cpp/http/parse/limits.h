// The limits of one request. Plain data; the values come from the server's options.
#pragma once

#include <cstddef>
#include <cstdint>

namespace httpuv::http {

struct RequestLimits {
  // Request line and header section, all bytes of them (431; 414 if the target alone is longer).
  // Bounds the framing of a chunked body, too: extensions and trailers (431).
  std::size_t max_head_bytes;
  std::uint32_t max_header_count;  // 431
  std::uint64_t max_body_bytes;    // without chunk framing (413)
};

}  // namespace httpuv::http
