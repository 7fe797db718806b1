// Heads of requests that were read lately, as they came and as they were parsed. The same bytes
// make the same head, so a client that asks the same again costs a comparison instead of a parser.
//
// What: a table with a fixed number of places. A head is kept when it comes twice in a row at its
//   place, so that heads which never repeat cost no more than a look.
// Thread: that of the connections that share it; one for each loop. Owner: what owns them.
// Failure: std::bad_alloc of keep(), and nothing has changed.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "http/message/request.h"

namespace httpuv::http {

class HeadMemo {
 public:
  struct Entry {
    std::string bytes;  // as they came; RequestHead::bytes has names in lower case
    RequestHead head;
  };

  // What begins `input`, or null.
  [[nodiscard]] const Entry* find(std::string_view input) const {
    if (input.size() < kLeast) return nullptr;
    const Entry& entry = places_[place_of(mark_of(input))].entry;
    return !entry.bytes.empty() && input.starts_with(entry.bytes) ? &entry : nullptr;
  }

  // `head` is what was parsed of the first `size` bytes of `input`, which find() did not know.
  void keep(std::string_view input, std::size_t size, const RequestHead& head) {
    if (input.size() < kLeast || size > kMost) return;
    const std::uint64_t mark = mark_of(input);
    Place& place = places_[place_of(mark)];
    if (std::exchange(place.seen, mark) != mark) return;
    Entry entry{std::string(input.substr(0, size)), head};
    entry.head.number = next_number();
    std::swap(place.entry, entry);
  }

 private:
  static constexpr std::size_t kPlaces = 64;
  static constexpr std::size_t kLeast = 24;  // a request of HTTP/1.1 has more
  static constexpr std::size_t kMost = 2048;

  struct Place {
    Entry entry;
    std::uint64_t seen = 0;
  };

  // Of all tables of the process: their heads meet in Python.
  static std::uint64_t next_number() {
    static std::atomic<std::uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  // Where a head ends is not known before it is read. A client sends it alone nearly always: so its
  // size, a part of its target and a part of its last field tell it from others.
  static std::uint64_t mark_of(std::string_view input) {
    std::uint64_t target;
    std::uint64_t last;
    std::memcpy(&target, input.data() + 4, sizeof target);
    std::memcpy(&last, input.data() + input.size() - 12, sizeof last);
    return ((target ^ input.size()) * 0x9E3779B97F4A7C15U ^ last) * 0xD6E8FEB86659FD93U;
  }
  static std::size_t place_of(std::uint64_t mark) { return static_cast<std::size_t>(mark >> 58); }
  static_assert(kPlaces == std::size_t{1} << (64 - 58));

  std::array<Place, kPlaces> places_;
};

}  // namespace httpuv::http
