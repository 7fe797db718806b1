#include "coding/gzip.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#if HTTPUV_ZLIB_NG
#include <zlib-ng.h>
#else
#include <zlib.h>
#endif

namespace httpuv::coding {
namespace {

// Decodes what has come so far: all that a reader can see of it.
std::string gunzip(std::string_view coded, bool* ended = nullptr) {
#if HTTPUV_ZLIB_NG
  zng_stream stream = {};
  REQUIRE(zng_inflateInit2(&stream, 15 + 16) == Z_OK);
#else
  z_stream stream = {};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
#endif
  stream.next_in = reinterpret_cast<decltype(stream.next_in)>(const_cast<char*>(coded.data()));
  stream.avail_in = static_cast<std::uint32_t>(coded.size());
  std::string plain;
  char block[4096];
  int result = Z_OK;
  do {
    stream.next_out = reinterpret_cast<decltype(stream.next_out)>(block);
    stream.avail_out = sizeof block;
#if HTTPUV_ZLIB_NG
    result = zng_inflate(&stream, Z_SYNC_FLUSH);
#else
    result = inflate(&stream, Z_SYNC_FLUSH);
#endif
    plain.append(block, sizeof block - stream.avail_out);
  } while (result == Z_OK && stream.avail_out == 0);
  CHECK((result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR));
  if (ended != nullptr) *ended = result == Z_STREAM_END;
#if HTTPUV_ZLIB_NG
  zng_inflateEnd(&stream);
#else
  inflateEnd(&stream);
#endif
  return plain;
}

std::string noise(std::size_t size) {
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < size) {
    state = state * 1664525U + 1013904223U;
    text.push_back(static_cast<char>(state >> 24));
  }
  return text;
}

TEST_CASE("whole bodies") {
  for (const std::string& plain :
       {std::string(), std::string("a"), std::string(100'000, 'x'), noise(100'000)}) {
    bool ended = false;
    const auto coded = gzip(plain);
    REQUIRE(coded);
    CHECK(gunzip(*coded, &ended) == plain);
    CHECK(ended);
    CHECK(gzip(plain) == coded);
  }
}

TEST_CASE("a reader has every byte of the pieces so far") {
  GzipStream stream;
  std::string plain;
  std::string coded;
  for (const std::size_t size : {1U, 16'384U, 0U, 3U, 70'000U, 5U}) {
    const std::string piece = noise(size);
    plain += piece;
    REQUIRE(stream.code(piece, GzipStream::Until::kFlushed, coded));
    CHECK(gunzip(coded) == plain);
  }
  bool ended = false;
  REQUIRE(stream.code("end", GzipStream::Until::kEnd, coded));
  CHECK(gunzip(coded, &ended) == plain + "end");
  CHECK(ended);
}

TEST_CASE("a stream may be empty") {
  GzipStream stream;
  std::string coded;
  bool ended = false;
  REQUIRE(stream.code({}, GzipStream::Until::kEnd, coded));
  CHECK(gunzip(coded, &ended).empty());
  CHECK(ended);
}

}  // namespace
}  // namespace httpuv::coding
