#include "files/answer/ranges.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

using namespace httpuv::files;

namespace {

// "0+5 7+1", "all" for the whole file, "416".
std::string ranges(std::string_view field, std::uint64_t size) {
  const RangeSet set = parse_ranges(field, size);
  if (set.outcome == RangeOutcome::kIgnore) return "all";
  if (set.outcome == RangeOutcome::kUnsatisfiable) return "416";
  std::string text;
  for (const ByteRange& range : set.ranges) {
    if (!text.empty()) text += " ";
    text += std::to_string(range.offset) + "+" + std::to_string(range.length);
  }
  return text;
}

}  // namespace

TEST_CASE("one range") {
  CHECK(ranges("bytes=0-4", 9) == "0+5");
  CHECK(ranges("bytes=0-0", 9) == "0+1");
  CHECK(ranges("bytes=8-8", 9) == "8+1");
  CHECK(ranges("bytes=3-", 9) == "3+6");
  CHECK(ranges("bytes=-3", 9) == "6+3");
  CHECK(ranges("bytes=-50", 9) == "0+9");
  CHECK(ranges("bytes=2-50", 9) == "2+7");
  CHECK(ranges("BYTES=2-3", 9) == "2+2");
  CHECK(ranges("bytes= 2-3 ", 9) == "2+2");
  CHECK(ranges("bytes=0-99999999999999999999999999", 9) == "0+9");
  CHECK(ranges("bytes=-99999999999999999999999999", 9) == "0+9");
}

TEST_CASE("what cannot be satisfied") {
  CHECK(ranges("bytes=9-", 9) == "416");
  CHECK(ranges("bytes=9-50", 9) == "416");
  CHECK(ranges("bytes=-0", 9) == "416");
  CHECK(ranges("bytes=99999999999999999999999999-", 9) == "416");
  CHECK(ranges("bytes=9-,10-20,-0", 9) == "416");
  CHECK(ranges("bytes=0-", 0) == "416");
  CHECK(ranges("bytes=0-0", 0) == "416");
}

TEST_CASE("the end of an empty file is all of it") {
  CHECK(ranges("bytes=-5", 0) == "all");
}

TEST_CASE("what is not understood is ignored") {
  for (const char* field :
       {"", "asdf", "bytes", "bytes=", "bytes=,", "items=0-4", "bytes=a-b", "bytes=1", "bytes=--1",
        "bytes=1-2-3", "bytes=5-4", "bytes=0-1,x", "bytes=0-1;2-3", "bytes=+1-2", "bytes=1 -2",
        "bytes =1-2", "bytes=0x1-2", "bytes:0-1"}) {
    CAPTURE(field);
    CHECK(ranges(field, 9) == "all");
  }
}

TEST_CASE("several ranges keep their order; those that touch are merged") {
  CHECK(ranges("bytes=0-1,4-5", 9) == "0+2 4+2");
  CHECK(ranges("bytes=4-5, 0-1", 9) == "4+2 0+2");
  CHECK(ranges("bytes=0-1,,  ,4-5,", 9) == "0+2 4+2");
  CHECK(ranges("bytes=1-2,3-5", 9) == "1+5");
  CHECK(ranges("bytes=3-5,1-2", 9) == "1+5");
  CHECK(ranges("bytes=0-8,2-3", 9) == "0+9");
  CHECK(ranges("bytes=7-8,0-0,6-6", 9) == "6+3 0+1");
  CHECK(ranges("bytes=0-0,20-30,-1", 9) == "0+1 8+1");
  CHECK(ranges("bytes=-1,0-0", 9) == "8+1 0+1");
}

TEST_CASE("a multitude is ignored") {
  std::string field = "bytes=0-0";
  for (std::size_t i = 1; i < kMaxRanges; ++i)
    field += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  CHECK(parse_ranges(field, 1000).ranges.size() == kMaxRanges);
  field += ",999-999";
  CHECK(ranges(field, 1000) == "all");

  std::string attack = "bytes=0-";
  for (int i = 0; i < 1300; ++i) attack += ",5-" + std::to_string(i + 5);
  CHECK(ranges(attack, 10'000'000) == "all");
  std::string overlaps = "bytes=0-";
  for (int i = 0; i < 90; ++i) overlaps += ",5-" + std::to_string(i + 5);
  CHECK(ranges(overlaps, 10'000'000) == "0+10000000");
}

TEST_CASE("ranges are disjoint, inside the file, and cover exactly what was asked for") {
  std::mt19937 random(11);
  for (int round = 0; round < 5'000; ++round) {
    const std::uint64_t size = random() % 40;
    std::string field = "bytes=";
    std::string asked(size, '.');
    const int count = 1 + static_cast<int>(random() % 6);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t first = random() % 45;
      const std::uint64_t last = first + random() % 20;
      if (i > 0) field += ",";
      field += std::to_string(first) + "-" + std::to_string(last);
      for (std::uint64_t k = first; k <= last && k < size; ++k) asked[k] = 'x';
    }
    const RangeSet set = parse_ranges(field, size);
    std::string got(size, '.');
    for (const ByteRange& range : set.ranges) {
      REQUIRE(range.length > 0);
      REQUIRE(range.offset + range.length <= size);
      for (std::uint64_t k = range.offset; k < range.offset + range.length; ++k) {
        REQUIRE(got[k] == '.');
        got[k] = 'x';
      }
    }
    CAPTURE(field);
    REQUIRE(got == asked);
    REQUIRE((set.outcome == RangeOutcome::kUnsatisfiable) ==
            (asked.find('x') == std::string::npos));
  }
}
