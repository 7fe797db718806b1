// The content codings the server knows (RFC 9110 section 8.4.1).
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace httpuv::coding {

// In the order of our preference.
enum class Coding : std::uint8_t { kBrotli, kZstd, kGzip };
inline constexpr std::size_t kCodings = 3;

std::string_view coding_name(Coding coding);       // "br", "zstd", "gzip"
std::string_view coding_extension(Coding coding);  // ".br", ".zst", ".gz"

}  // namespace httpuv::coding
