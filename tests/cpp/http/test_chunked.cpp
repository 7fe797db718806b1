#include <doctest/doctest.h>

#include <string>

#include "feeding.h"
#include "http/message/chunked.h"

namespace httpuv::http {
namespace {

std::string prefix(std::size_t size) {
  char text[kMaxChunkPrefix];
  return std::string(text, chunk_prefix(text, size));
}

TEST_CASE("chunk_prefix") {
  CHECK(prefix(1) == "1\r\n");
  CHECK(prefix(15) == "f\r\n");
  CHECK(prefix(16) == "10\r\n");
  CHECK(prefix(65536) == "10000\r\n");
  CHECK(prefix(SIZE_MAX) == "ffffffffffffffff\r\n");
}

TEST_CASE("an empty chunk is not written: it would end the body") {
  std::string out = "x";
  append_chunk(out, "");
  CHECK(out == "x");
}

TEST_CASE("what is written is read back") {
  std::string stream = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string data;
  for (std::size_t size = 1; size < 5000; size = size * 3 + 1) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    append_chunk(stream, piece);
    data.append(piece);
  }
  stream.append(kLastChunk);
  const Parsed parsed = feed_every_way(stream);
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].complete);
  CHECK(parsed.messages[0].body == data);
}

}  // namespace
}  // namespace httpuv::http
