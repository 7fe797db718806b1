#include "websocket/frame/frame.h"

#include <algorithm>
#include <cstring>

namespace httpuv::websocket {
namespace {

constexpr unsigned char kFin = 0x80;
constexpr unsigned char kRsv1 = 0x40;
constexpr unsigned char kRsv23 = 0x30;
constexpr unsigned char kOpcodeBits = 0x0F;
constexpr unsigned char kMasked = 0x80;
constexpr unsigned char kLengthBits = 0x7F;
constexpr std::uint64_t kLength16 = 126;
constexpr std::uint64_t kLength64 = 127;

// One bit for each opcode there is.
constexpr unsigned kKnownOpcodes =
    1u << 0x0 | 1u << 0x1 | 1u << 0x2 | 1u << 0x8 | 1u << 0x9 | 1u << 0xA;

// What the first two bytes already give away.
Fault check_start(unsigned char first, unsigned char second) {
  if ((first & kRsv23) != 0) return Fault::kReservedBits;
  if ((kKnownOpcodes >> (first & kOpcodeBits) & 1) == 0) return Fault::kReservedOpcode;
  if ((second & kMasked) == 0) return Fault::kNotMasked;
  return Fault::kNone;
}

// The whole header's size, by its second byte; the mask key included.
std::size_t header_size(unsigned char second) {
  const unsigned char length = second & kLengthBits;
  return 2 + (length == kLength64 ? 8 : length == kLength16 ? 2 : 0) + 4;
}

std::uint64_t read_big_endian(const unsigned char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return value;
}

// `bytes` holds the whole header; its start is checked.
Fault decode(const unsigned char* bytes, std::size_t size, FrameHeader& header) {
  header.fin = (bytes[0] & kFin) != 0;
  header.rsv1 = (bytes[0] & kRsv1) != 0;
  header.opcode = static_cast<Opcode>(bytes[0] & kOpcodeBits);
  header.length = bytes[1] & kLengthBits;
  if (header.length == kLength16) {
    header.length = read_big_endian(bytes + 2, 2);
    if (header.length < kLength16) return Fault::kLengthNotMinimal;
  } else if (header.length == kLength64) {
    header.length = read_big_endian(bytes + 2, 8);
    if (header.length >> 63 != 0) return Fault::kLengthTooLarge;
    if (header.length <= 0xFFFF) return Fault::kLengthNotMinimal;
  }
  unsigned char key[4];
  std::memcpy(key, bytes + size - sizeof key, sizeof key);
  header.mask = MaskKey(key);
  return Fault::kNone;
}

}  // namespace

bool FrameHeaderReader::fill(std::string_view& input, std::size_t want) {
  if (have_ < want) {
    const std::size_t take = std::min(input.size(), want - have_);
    std::copy_n(input.data(), take, bytes_ + have_);
    have_ = static_cast<std::uint8_t>(have_ + take);
    input.remove_prefix(take);
  }
  return have_ >= want;
}

FrameHeaderReader::Result FrameHeaderReader::next(std::string_view& input, FrameHeader& header) {
  if (have_ != 0 || input.size() < 2) return next_in_pieces(input, header);
  const auto* bytes = reinterpret_cast<const unsigned char*>(input.data());
  const std::size_t size = header_size(bytes[1]);
  if (input.size() < size) return next_in_pieces(input, header);
  if (fault_ == Fault::kNone) fault_ = check_start(bytes[0], bytes[1]);
  if (fault_ == Fault::kNone) fault_ = decode(bytes, size, header);
  if (fault_ != Fault::kNone) return Result::kError;
  input.remove_prefix(size);
  return Result::kHeader;
}

FrameHeaderReader::Result FrameHeaderReader::next_in_pieces(std::string_view& input,
                                                            FrameHeader& header) {
  if (fault_ != Fault::kNone) return Result::kError;
  if (!fill(input, 2)) return Result::kNeedMore;
  fault_ = check_start(bytes_[0], bytes_[1]);
  if (fault_ != Fault::kNone) return Result::kError;
  const std::size_t size = header_size(bytes_[1]);
  if (!fill(input, size)) return Result::kNeedMore;
  fault_ = decode(bytes_, size, header);
  if (fault_ != Fault::kNone) return Result::kError;
  have_ = 0;
  return Result::kHeader;
}

std::size_t write_frame_header(char (&out)[kMaxServerHeader], Opcode opcode, bool fin, bool rsv1,
                               std::uint64_t length) {
  out[0] =
      static_cast<char>((fin ? kFin : 0) | (rsv1 ? kRsv1 : 0) | static_cast<unsigned char>(opcode));
  if (length < kLength16) {
    out[1] = static_cast<char>(length);
    return 2;
  }
  const std::size_t bytes = length <= 0xFFFF ? 2 : 8;
  out[1] = static_cast<char>(bytes == 2 ? kLength16 : kLength64);
  for (std::size_t i = 0; i < bytes; ++i)
    out[2 + i] = static_cast<char>(length >> (8 * (bytes - 1 - i)) & 0xFF);
  return 2 + bytes;
}

void append_frame(std::string& out, Opcode opcode, bool rsv1, std::string_view payload) {
  char header[kMaxServerHeader];
  const std::size_t size = write_frame_header(header, opcode, true, rsv1, payload.size());
  out.append(header, size).append(payload);
}

}  // namespace httpuv::websocket
