// Compression both ways: any bytes inflate to the same (or fail the same) through any buffer, and
// what is compressed comes back.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "websocket/deflate/deflater.h"
#include "websocket/deflate/inflater.h"

using namespace httpuv::websocket;

namespace {

constexpr std::size_t kMost = 1 << 20;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Inflated {
  std::string bytes;
  Fault fault = Fault::kNone;
};

// One message, its payload in pieces, its output in blocks; stops like a reader with a limit would.
Inflated inflate(Inflater& inflater, std::string_view payload, std::size_t piece,
                 std::size_t room) {
  Inflated result;
  const auto block = std::make_unique<char[]>(room);  // its own allocation, for the sanitizer
  const auto drain = [&](auto&& step) {
    for (;;) {
      std::size_t produced = 0;
      const Inflater::Status status = step(produced);
      require(produced <= room);
      result.bytes.append(block.get(), produced);
      if (status == Inflater::Status::kError) result.fault = inflater.fault();
      if (result.bytes.size() > kMost) result.fault = Fault::kMessageTooBig;
      if (status != Inflater::Status::kMore || result.fault != Fault::kNone) return;
    }
  };
  while (!payload.empty() && result.fault == Fault::kNone) {
    std::string_view input = payload.substr(0, piece);
    payload.remove_prefix(input.size());
    drain([&](std::size_t& n) { return inflater.inflate(input, block.get(), room, n); });
  }
  if (result.fault == Fault::kNone) {
    drain([&](std::size_t& n) { return inflater.finish(block.get(), room, n); });
  }
  return result;
}

void inflate_anything(std::string_view bytes) {
  Inflater whole(15);
  Inflater cut(15);
  // Twice, because the second message meets the window of the first.
  for (int message = 0; message < 2; ++message) {
    const Inflated one = inflate(whole, bytes, bytes.size(), 16384);
    const Inflated other = inflate(cut, bytes, 3, 5);
    require(one.fault == other.fault);
    if (one.fault == Fault::kNone) require(one.bytes == other.bytes);
    if (one.fault != Fault::kNone) return;
  }
}

void there_and_back(std::string_view bytes, int window_bits, int level) {
  Deflater deflater(window_bits, {level, 1 + level % 9});
  Inflater inflater(window_bits < 9 ? 9 : window_bits);
  for (int message = 0; message < 3; ++message) {
    std::string packed;
    require(deflater.compress(bytes, packed));
    const Inflated result = inflate(inflater, packed, 1000, 1000);
    require(result.fault == Fault::kNone && result.bytes == bytes);
    if (message == 1) deflater.reset();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) {
    inflate_anything(bytes);
  } else {
    there_and_back(bytes, 8 + (data[0] >> 1) % 8, 1 + (data[0] >> 4) % 9);
  }
  return 0;
}
