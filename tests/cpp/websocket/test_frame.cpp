#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "peer.h"
#include "websocket/frame/frame.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;
using Result = FrameHeaderReader::Result;

namespace {

struct Outcome {
  Result result = Result::kNeedMore;
  FrameHeader header;
  Fault fault = Fault::kNone;
  std::string rest;  // what was left of the input
};

Outcome read(const std::vector<std::string_view>& pieces) {
  FrameHeaderReader reader;
  Outcome outcome;
  for (std::string_view piece : pieces) {
    if (outcome.result == Result::kNeedMore) outcome.result = reader.next(piece, outcome.header);
    if (outcome.result == Result::kNeedMore) CHECK(piece.empty());
    if (outcome.result != Result::kNeedMore) outcome.rest += piece;
  }
  outcome.fault = reader.fault();
  return outcome;
}

std::string header_bytes(int first, int second, std::string_view length = {},
                         std::string_view key = kKey) {
  std::string out{static_cast<char>(first), static_cast<char>(second)};
  return out.append(length).append(key);
}

void check_header(const std::string& bytes, Opcode opcode, bool fin, bool rsv1,
                  std::uint64_t length) {
  for_each_split(bytes + "rest", [&](const std::vector<std::string_view>& pieces) {
    const Outcome outcome = read(pieces);
    REQUIRE(outcome.result == Result::kHeader);
    CHECK(outcome.header.opcode == opcode);
    CHECK(outcome.header.fin == fin);
    CHECK(outcome.header.rsv1 == rsv1);
    CHECK(outcome.header.length == length);
    CHECK(outcome.rest == "rest");
    std::string four(4, '\0');
    MaskKey mask = outcome.header.mask;
    mask.apply(four.data(), 4);
    CHECK(four == kKey);
  });
}

void check_fault(const std::string& bytes, Fault fault) {
  for_each_split(bytes, [&](const std::vector<std::string_view>& pieces) {
    const Outcome outcome = read(pieces);
    CHECK(outcome.result == Result::kError);
    CHECK(outcome.fault == fault);
  });
}

}  // namespace

TEST_CASE("frame header: the three lengths") {
  check_header(header_bytes(0x81, 0x80), Opcode::kText, true, false, 0);
  check_header(header_bytes(0x82, 0x80 | 125), Opcode::kBinary, true, false, 125);
  check_header(header_bytes(0x02, 0xFE, std::string_view("\x00\x7E", 2)), Opcode::kBinary, false,
               false, 126);
  check_header(header_bytes(0xC1, 0xFE, "\xFF\xFF"), Opcode::kText, true, true, 65535);
  check_header(header_bytes(0x80, 0xFF, std::string_view("\0\0\0\0\0\1\0\0", 8)),
               Opcode::kContinuation, true, false, 65536);
  check_header(header_bytes(0x82, 0xFF, "\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), Opcode::kBinary, true,
               false, 0x7FFFFFFFFFFFFFFFu);
  check_header(header_bytes(0x88, 0x80), Opcode::kClose, true, false, 0);
  check_header(header_bytes(0x89, 0x80), Opcode::kPing, true, false, 0);
  check_header(header_bytes(0x8A, 0x80), Opcode::kPong, true, false, 0);
}

TEST_CASE("frame header: what is refused") {
  check_fault(header_bytes(0xA1, 0x80), Fault::kReservedBits);
  check_fault(header_bytes(0x91, 0x80), Fault::kReservedBits);
  for (const int opcode : {3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF}) {
    check_fault(header_bytes(0x80 | opcode, 0x80), Fault::kReservedOpcode);
  }
  check_fault(header_bytes(0x81, 0x05), Fault::kNotMasked);
  check_fault(header_bytes(0x81, 0xFE, std::string_view("\x00\x7D", 2)), Fault::kLengthNotMinimal);
  check_fault(header_bytes(0x81, 0xFF, std::string_view("\0\0\0\0\0\0\xFF\xFF", 8)),
              Fault::kLengthNotMinimal);
  check_fault(header_bytes(0x81, 0xFF, std::string_view("\x80\0\0\0\0\1\0\0", 8)),
              Fault::kLengthTooLarge);
}

TEST_CASE("frame header: two bytes are enough to refuse") {
  CHECK(read({"\xC1\x05"}).fault == Fault::kNotMasked);
  CHECK(read({"\x83", "\x80"}).fault == Fault::kReservedOpcode);
}

TEST_CASE("frame header: a failed reader stays failed") {
  FrameHeaderReader reader;
  FrameHeader header;
  std::string_view bad("\x81\x05", 2);
  CHECK(reader.next(bad, header) == Result::kError);
  const std::string good = text_frame("x");
  std::string_view input = good;
  CHECK(reader.next(input, header) == Result::kError);
  CHECK(reader.fault() == Fault::kNotMasked);
}

TEST_CASE("frame header: idle only between headers") {
  FrameHeaderReader reader;
  FrameHeader header;
  CHECK(reader.idle());
  const std::string bytes = header_bytes(0x81, 0x81);
  std::string_view input = std::string_view(bytes).substr(0, 3);
  CHECK(reader.next(input, header) == Result::kNeedMore);
  CHECK(!reader.idle());
  input = std::string_view(bytes).substr(3);
  CHECK(reader.next(input, header) == Result::kHeader);
  CHECK(reader.idle());
}

TEST_CASE("frame writer: the shortest length that fits, never masked") {
  const auto written = [](Opcode opcode, bool fin, bool rsv1, std::uint64_t length) {
    char out[kMaxServerHeader];
    return std::string(out, write_frame_header(out, opcode, fin, rsv1, length));
  };
  CHECK(written(Opcode::kText, true, false, 0) == std::string("\x81\x00", 2));
  CHECK(written(Opcode::kText, false, false, 125) == "\x01\x7D");
  CHECK(written(Opcode::kBinary, true, false, 126) == std::string("\x82\x7E\x00\x7E", 4));
  CHECK(written(Opcode::kBinary, true, true, 65535) == "\xC2\x7E\xFF\xFF");
  CHECK(written(Opcode::kBinary, true, false, 65536) ==
        std::string("\x82\x7F\0\0\0\0\0\1\0\0", 10));
  CHECK(written(Opcode::kPong, true, false, 5) == "\x8A\x05");
}

TEST_CASE("the examples of RFC 6455 section 5.7, as a server sees and writes them") {
  // A single-frame masked text message.
  CHECK(text_frame("Hello") == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  // A single-frame unmasked text message, unmasked fragments, an unmasked ping's masked answer.
  std::string out;
  append_frame(out, Opcode::kText, false, "Hello");
  CHECK(out == "\x81\x05Hello");
  out.clear();
  append_frame(out, Opcode::kPing, false, "Hello");
  CHECK(out == "\x89\x05Hello");
  CHECK(control_frame(Opcode::kPong, "Hello") == "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
  out.clear();
  append_frame(out, Opcode::kBinary, false, std::string(256, 'a'));
  CHECK(out == std::string("\x82\x7E\x01\x00", 4) + std::string(256, 'a'));
  out.clear();
  append_frame(out, Opcode::kBinary, false, std::string(65536, 'a'));
  CHECK(out == std::string("\x82\x7F\0\0\0\0\0\1\0\0", 10) + std::string(65536, 'a'));
}
