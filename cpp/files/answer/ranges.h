// The Range field (RFC 9110 section 14.2) against the length of a file.
//
// Pure; any thread. Ranges that overlap or touch are merged, so the parts of an answer never exceed
// the file, whatever was asked for: asking for the same bytes a thousand times costs nothing. What
// comes out is in the order of the request.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace httpuv::files {

// More than this are ignored, and the whole file sent: a client that needs so many does not mind,
// and one that does harm gains nothing (section 14.2 allows it).
inline constexpr std::size_t kMaxRanges = 100;

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool operator==(const ByteRange&) const = default;
};

enum class RangeOutcome {
  kIgnore,         // no Range field, not bytes, malformed or too many: the whole file
  kPartial,        // 206 with `ranges`, at least one
  kUnsatisfiable,  // 416
};

struct RangeSet {
  RangeOutcome outcome = RangeOutcome::kIgnore;
  std::vector<ByteRange> ranges;
};

RangeSet parse_ranges(std::string_view field, std::uint64_t size);

}  // namespace httpuv::files
