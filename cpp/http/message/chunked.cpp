#include "http/message/chunked.h"

namespace httpuv::http {

std::size_t chunk_prefix(char (&out)[kMaxChunkPrefix], std::size_t size) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::size_t digits = 1;
  for (std::size_t rest = size >> 4; rest != 0; rest >>= 4) ++digits;
  for (std::size_t i = digits; i > 0; --i, size >>= 4) out[i - 1] = kHex[size & 15];
  kChunkEnd.copy(out + digits, kChunkEnd.size());
  return digits + kChunkEnd.size();
}

void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  char prefix[kMaxChunkPrefix];
  const std::size_t prefix_size = chunk_prefix(prefix, data.size());
  out.append(prefix, prefix_size).append(data).append(kChunkEnd);
}

}  // namespace httpuv::http
