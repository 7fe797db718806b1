// Header fields of answers that came lately, and the heads that they became. To check and to copy
// fields costs more than to see that they are those of an answer before.
//
// What: a table with a fixed number of places; what is kept are copies of bytes.
// Thread: any, with the GIL held; no call depends on the one before.
// Owner: what converts answers. At most kPlaces heads of kMaxBytes each.
// Failure: std::bad_alloc; then the head is to be thrown away.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "http/message/response.h"

namespace httpuv::python {

// Names and values in turn. They stay where they are as long as this is used.
class Fields {
 public:
  static constexpr std::size_t kMost = 32;

  // False: there is no room for another one.
  bool add(std::string_view text) {
    if (count_ == kMost) return false;
    texts_[count_++] = {text.data(), text.size()};
    bytes_ += text.size();
    return true;
  }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  std::string_view operator[](std::size_t index) const {
    return {texts_[index].data, texts_[index].size};
  }

 private:
  struct Text {
    const char* data;
    std::size_t size;
  };
  std::array<Text, kMost> texts_;  // a string_view would be set to nothing first
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

class RecentFields {
 public:
  // Adds them to a head that has none. False: one of them is wrong; then some may have been added.
  bool add(http::ResponseHead& head, const Fields& fields) {
    Entry& entry = entries_[fields.bytes() % kPlaces];
    if (entry.has(fields)) {
      entry.misses = 0;
      head.set_fields(entry.head);
      return true;
    }
    for (std::size_t i = 0; i < fields.count(); i += 2) {
      if (head.add(fields[i], fields[i + 1]) != http::HeaderError::kNone) return false;
    }
    if (fields.bytes() <= kMaxBytes && entry.misses++ % kPatience == 0) entry.keep(fields, head);
    return true;
  }

 private:
  static constexpr std::size_t kPlaces = 64;
  static constexpr std::size_t kMaxBytes = 1024;
  // Fields that change with each answer are kept, in vain, only this seldom.
  static constexpr unsigned kPatience = 8;

  struct Entry {
    http::ResponseHead head;
    std::string bytes;
    std::array<std::size_t, Fields::kMost> sizes{};
    std::size_t count = 0;
    unsigned misses = 0;

    [[nodiscard]] bool has(const Fields& fields) const {
      if (fields.count() != count || fields.bytes() != bytes.size()) return false;
      const char* at = bytes.data();
      for (std::size_t i = 0; i < count; ++i) {
        const std::string_view text = fields[i];
        if (text.size() != sizes[i] || std::memcmp(text.data(), at, text.size()) != 0) return false;
        at += text.size();
      }
      return true;
    }
    void keep(const Fields& fields, const http::ResponseHead& made) {
      count = 0;
      bytes.clear();
      head.clear();
      head.set_fields(made);
      for (std::size_t i = 0; i < fields.count(); ++i) {
        bytes.append(fields[i]);
        sizes[i] = fields[i].size();
      }
      count = fields.count();
    }
  };

  std::array<Entry, kPlaces> entries_;
};

}  // namespace httpuv::python
