#include "files/answer/ranges.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "base/text/ascii.h"

namespace httpuv::files {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

// Digits only; what does not fit is as large as can be.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (!base::is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    number = number > (kHuge - digit) / 10 ? kHuge : number * 10 + digit;
  }
  return number;
}

enum class Spec { kMalformed, kOutside, kInside };

Spec parse_spec(std::string_view text, std::uint64_t size, ByteRange& range) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return Spec::kMalformed;
  const std::string_view first_text = text.substr(0, dash);
  const std::string_view last_text = text.substr(dash + 1);
  if (first_text.empty()) {  // the last so many bytes
    const auto suffix = parse_number(last_text);
    if (!suffix) return Spec::kMalformed;
    range.length = std::min(*suffix, size);
    range.offset = size - range.length;
    return *suffix == 0 ? Spec::kOutside : Spec::kInside;
  }
  const auto first = parse_number(first_text);
  const auto last = last_text.empty() ? kHuge : parse_number(last_text);
  if (!first || !last || *last < *first) return Spec::kMalformed;
  if (*first >= size) return Spec::kOutside;
  range.offset = *first;
  range.length = std::min(*last, size - 1) - *first + 1;
  return Spec::kInside;
}

// Merged ranges stand where the first of them stood.
std::vector<ByteRange> merge(const std::vector<ByteRange>& ranges) {
  std::vector<std::size_t> by_offset(ranges.size());
  std::iota(by_offset.begin(), by_offset.end(), 0);
  std::sort(by_offset.begin(), by_offset.end(),
            [&](std::size_t a, std::size_t b) { return ranges[a].offset < ranges[b].offset; });

  struct Merged {
    std::size_t place;
    ByteRange range;
  };
  std::vector<Merged> merged;
  for (const std::size_t place : by_offset) {
    const ByteRange& next = ranges[place];
    if (merged.empty() || next.offset > merged.back().range.offset + merged.back().range.length) {
      merged.push_back({place, next});
      continue;
    }
    Merged& last = merged.back();
    const std::uint64_t end =
        std::max(last.range.offset + last.range.length, next.offset + next.length);
    last.range.length = end - last.range.offset;
    last.place = std::min(last.place, place);
  }
  std::sort(merged.begin(), merged.end(),
            [](const Merged& a, const Merged& b) { return a.place < b.place; });
  std::vector<ByteRange> result;
  result.reserve(merged.size());
  for (const Merged& each : merged) result.push_back(each.range);
  return result;
}

}  // namespace

RangeSet parse_ranges(std::string_view field, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  RangeSet set;
  if (field.size() < kUnit.size() || !base::iequals(field.substr(0, kUnit.size()), kUnit)) {
    return set;
  }
  field.remove_prefix(kUnit.size());
  std::size_t specs = 0;
  while (!field.empty()) {
    const std::size_t comma = std::min(field.find(','), field.size());
    const std::string_view spec = base::trim_ows(field.substr(0, comma));
    field.remove_prefix(std::min(comma + 1, field.size()));
    if (spec.empty()) continue;
    ByteRange range;
    const Spec kind = parse_spec(spec, size, range);
    if (kind == Spec::kMalformed || ++specs > kMaxRanges) return {};
    if (kind == Spec::kInside) set.ranges.push_back(range);
  }
  if (specs == 0) return set;
  // Nothing of an empty file can be named in a Content-Range: its end is satisfied by all of it.
  if (size == 0 && !set.ranges.empty()) return {};
  set.outcome = set.ranges.empty() ? RangeOutcome::kUnsatisfiable : RangeOutcome::kPartial;
  if (set.ranges.size() > 1) set.ranges = merge(set.ranges);
  return set;
}

}  // namespace httpuv::files
