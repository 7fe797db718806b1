// Heads that came lately, and the dicts that were made of them. The fields of a request are mostly
// those of one before, of the same client or of another one of its kind, so its dict is a copy.
//
// What: a table with a fixed number of places. An object is kept for fields that come twice in a
//   row at their place, so that fields which never repeat cost no more than their hash.
// Thread: any, with the GIL held; no call depends on the one before.
// Owner: what builds dicts. It owns copies of heads, each at most kMaxBytes.
// Failure: std::bad_alloc, and nothing has changed.
#pragma once

#include <pybind11/pybind11.h>

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "http/message/request.h"

namespace httpuv::python {

class RecentHeads {
 public:
  struct Found {
    pybind11::object made;   // null: nothing is kept for these fields
    bool same_line = false;  // `made` was made of the same method and target, too
    bool wanted = false;     // keep() is to follow
    std::size_t place = 0;   // where it is kept; heads at one place have the same fields
  };
  static constexpr std::size_t kPlaces = 64;

  // Looks for a head with the same version and fields, byte for byte. One with a number is compared
  // once, then it is known.
  Found find(const http::RequestHead& head) {
    Known& known = known_[head.number % kPlaces];
    if (head.number != 0 && known.number == head.number) {
      Entry& entry = entries_[known.place];
      if (known.version == entry.version) {
        entry.seen = 0;
        return {entry.made, known.same_line, false, known.place};
      }
    }
    const Found found = search(head);
    if (found.made && head.number != 0) {
      known = {head.number, found.place, entries_[found.place].version, found.same_line};
    }
    return found;
  }

  // `made` does not change any more, and has nothing that only this request has.
  void keep(const http::RequestHead& head, pybind11::object made) {
    const std::string_view fields = fields_of(head);
    Entry& entry = entries_[std::hash<std::string_view>()(fields) % kPlaces];
    entry.head = head.bytes;
    entry.line = head.bytes.size() - fields.size();
    ++entry.version;
    std::swap(entry.made, made);
  }

  // Calls f(const pybind11::object&) for each object that is kept.
  template <class F>
  void each(F&& f) const {
    for (const Entry& entry : entries_) {
      if (entry.made) f(entry.made);
    }
  }

 private:
  static constexpr std::size_t kMaxBytes = 2048;

  struct Entry {
    std::string head;
    std::size_t line = 0;  // where its fields begin
    pybind11::object made;
    std::size_t seen = 0;       // the hash of fields that were not found
    std::uint64_t version = 0;  // another one for each head that is kept here
  };
  // Where the head with a number was found.
  struct Known {
    std::uint64_t number = 0;
    std::size_t place = 0;
    std::uint64_t version = 0;
    bool same_line = false;
  };

  Found search(const http::RequestHead& head) {
    if (!fits(head)) return {};
    const std::string_view fields = fields_of(head);
    const std::size_t hash = std::hash<std::string_view>()(fields);
    const std::size_t place = hash % kPlaces;
    Entry& entry = entries_[place];
    if (entry.made && std::string_view(entry.head).substr(entry.line) == fields) {
      entry.seen = 0;
      const std::string_view line(head.bytes.data(), head.bytes.size() - fields.size());
      return {entry.made, line == std::string_view(entry.head).substr(0, entry.line), false, place};
    }
    return {{}, false, std::exchange(entry.seen, hash) == hash, place};
  }

  // A target with an authority decides about a field, see RequestHead::fields.
  static bool fits(const http::RequestHead& head) {
    return head.authority.size == 0 && head.bytes.size() <= kMaxBytes;
  }
  static std::string_view fields_of(const http::RequestHead& head) {
    return std::string_view(head.bytes).substr(head.target.offset + head.target.size);
  }

  std::array<Entry, kPlaces> entries_;
  std::array<Known, kPlaces> known_;  // by the number
};

}  // namespace httpuv::python
