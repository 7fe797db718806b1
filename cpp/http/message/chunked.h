// The chunked transfer coding, writing side (RFC 9112 section 7.1).
//
// Pure functions, any thread; nothing here fails.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace httpuv::http {

// What stands around the data of a chunk.
inline constexpr std::string_view kChunkEnd = "\r\n";
// Ends the body; no trailers.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

inline constexpr std::size_t kMaxChunkPrefix = 20;

// Writes the line before the data of a chunk of `size` bytes; returns how long it is.
std::size_t chunk_prefix(char (&out)[kMaxChunkPrefix], std::size_t size);

// Appends `data` as one chunk. Empty data appends nothing: an empty chunk would end the body.
void append_chunk(std::string& out, std::string_view data);

}  // namespace httpuv::http
