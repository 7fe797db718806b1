// The limits of one request. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>

namespace httpuv::http {

struct RequestLimits {
  // Request line and header section, all bytes of them (431; 414 if the target alone is longer).
  // Bounds the framing of a chunked body, too: extensions and trailers (431).
  std::size_t max_head_bytes = 96 * 1024;
  std::uint32_t max_header_count = 128;                  // 431
  std::uint64_t max_body_bytes = 1024ULL * 1024 * 1024;  // without chunk framing (413)
};

}  // namespace httpuv::http
