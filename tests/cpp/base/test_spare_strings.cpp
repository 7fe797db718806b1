// The memory of large strings is used again, in a bounded number, by any thread.
#include "base/spare_strings.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace httpuv::base {
namespace {

constexpr std::size_t kSize = SpareStrings::kSize;

TEST_CASE("a string that was given is taken again, empty and with its memory") {
  SpareStrings strings;
  std::string first = strings.take();
  CHECK(first.empty());
  CHECK(first.capacity() == kSize);
  const char* const memory = first.data();
  first.assign(kSize, 'x');
  strings.give(std::move(first));
  CHECK(strings.count() == 1);
  const std::string again = strings.take();
  CHECK(again.empty());
  CHECK(again.data() == memory);
  CHECK(strings.count() == 0);
}

TEST_CASE("strings of another size, and more than are kept, are freed") {
  SpareStrings strings;
  strings.give("short");
  strings.give(std::string(kSize + 1, 'x'));
  strings.give(std::string(kSize / 2, 'x'));
  CHECK(strings.count() == 0);
  for (std::size_t i = 0; i < SpareStrings::kMost + 3; ++i) {
    std::string each;
    each.reserve(kSize);
    strings.give(std::move(each));
  }
  CHECK(strings.count() == SpareStrings::kMost);
}

TEST_CASE("sizes that use at least half of such a string are served") {
  CHECK(SpareStrings::serves(64 * 1024));
  CHECK(SpareStrings::serves(64 * 1024 + 2));
  CHECK(SpareStrings::serves(kSize));
  CHECK_FALSE(SpareStrings::serves(kSize + 1));
  CHECK(SpareStrings::serves(kSize / 2 + 1));
  CHECK_FALSE(SpareStrings::serves(kSize / 2));
}

TEST_CASE("threads share them, and each has one owner at a time") {
  SpareStrings strings;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&strings, t] {
      const char mine = static_cast<char>('a' + t);
      for (int i = 0; i < 2000; ++i) {
        std::string one = strings.take();
        std::string two = strings.take();
        one.assign(100, mine);
        two.assign(200, mine);
        if (one != std::string(100, mine) || two != std::string(200, mine)) std::abort();
        strings.give(std::move(one));
        strings.give(std::move(two));
      }
    });
  }
  for (std::thread& each : threads) each.join();
  // More than the eight that were in use: a thread that finds the others busy allocates one.
  CHECK(strings.count() <= SpareStrings::kMost);
}

}  // namespace
}  // namespace httpuv::base
