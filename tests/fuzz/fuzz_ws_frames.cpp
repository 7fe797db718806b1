// Frame headers: the same result however the bytes are cut, and what was read can be written again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/frame/frame.h"

using namespace httpuv::websocket;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

struct Seen {
  std::vector<FrameHeader> headers;
  Fault fault = Fault::kNone;
  bool idle = true;
};

// Header after header, as if no frame had a payload.
Seen read(std::string_view bytes, std::size_t piece) {
  Seen seen;
  FrameHeaderReader reader;
  while (!bytes.empty() && seen.fault == Fault::kNone) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    for (;;) {
      FrameHeader header;
      const auto result = reader.next(input, header);
      if (result == FrameHeaderReader::Result::kHeader) {
        seen.headers.push_back(header);
        continue;
      }
      require(result == FrameHeaderReader::Result::kError || input.empty());
      seen.fault = reader.fault();
      break;
    }
  }
  seen.idle = reader.idle();
  return seen;
}

std::string key_of(MaskKey mask) {
  std::string four(4, '\0');
  mask.apply(four.data(), four.size());
  return four;
}

// A client's header with these contents; there is exactly one way to write it.
std::string write(const FrameHeader& header) {
  char out[kMaxServerHeader];
  const std::size_t size =
      write_frame_header(out, header.opcode, header.fin, header.rsv1, header.length);
  out[1] = static_cast<char>(out[1] | 0x80);
  return std::string(out, size) + key_of(header.mask);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Seen whole = read(bytes, size);
  for (const std::size_t piece : {1, 3, 7}) {
    const Seen cut = read(bytes, piece);
    require(cut.fault == whole.fault && cut.headers.size() == whole.headers.size());
    if (whole.fault == Fault::kNone) require(cut.idle == whole.idle);
  }
  std::string written;
  for (const FrameHeader& header : whole.headers) written += write(header);
  require(bytes.starts_with(written));
  if (whole.fault == Fault::kNone && whole.idle) require(bytes == written);
  return 0;
}
