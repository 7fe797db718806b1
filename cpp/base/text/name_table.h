// Objects that are found by their names: a hash table with one look at memory for the place and one
// for the object.
//
// What: open addressing with linear probing. A place holds the hash, so a search compares the name
//   of one object only. A search can be announced: begin_search() and continue_search() have the
//   processor fetch what it will read, so that a batch of searches does not wait for each.
// Thread: the owner's.
// Ownership: owns the objects, which stay where they are. An object has `name()`, which does not
//   change.
// Failure: std::bad_alloc from add(), which has changed nothing then.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text/text_hash.h"

namespace httpuv::base {

// A name and its hash, which is computed once where a name is searched for several times.
struct HashedName {
  HashedName(std::string_view name)  // NOLINT(google-explicit-constructor): a name is one
      : HashedName(name, hash_of(name)) {}
  HashedName(const std::string& name)  // NOLINT(google-explicit-constructor)
      : HashedName(std::string_view(name)) {}
  HashedName(const char* name)  // NOLINT(google-explicit-constructor)
      : HashedName(std::string_view(name)) {}
  // `known`: of hash_of(), for the same name.
  HashedName(std::string_view name, std::uint32_t known) : text(name), hash(known) {}

  static std::uint32_t hash_of(std::string_view name) {
    return static_cast<std::uint32_t>(hash_text(name, process_hash_key()) >> 32);
  }

  std::string_view text;
  std::uint32_t hash;
};

template <class T>
class NameTable {
 public:
  [[nodiscard]] T* find(const HashedName& name) const {
    return places_.empty() ? nullptr : places_[place_of(name)].object.get();
  }

  // `hash`: of its name, which no other object has.
  T& add(std::unique_ptr<T> object, std::uint32_t hash) {
    if (size_ + 1 > places_.size() / 4 * 3) grow();
    ++size_;
    return *put(hash, std::move(object));
  }

  // Destroys it.
  void erase(const HashedName& name) {
    if (places_.empty()) return;
    std::size_t hole = place_of(name);
    if (!places_[hole].object) return;
    // Destroyed when the table is in order again; the name may be the object's own.
    const std::unique_ptr<T> erased = std::move(places_[hole].object);
    --size_;
    // Objects behind the hole move up, unless they would come before their home.
    for (std::size_t at = next(hole); places_[at].object; at = next(at)) {
      if (distance(home(places_[at].hash), at) < distance(hole, at)) continue;
      places_[hole] = std::move(places_[at]);
      hole = at;
    }
    if (size_ == 0) std::vector<Place>().swap(places_);
  }

  // The first and the second step of a search that comes soon. Each must have time to arrive.
  void begin_search(std::uint32_t hash) const {
    if (!places_.empty()) prefetch(&places_[home(hash)]);
  }
  // Nothing if another name is in the way: such a search waits.
  void continue_search(std::uint32_t hash) const {
    if (places_.empty()) return;
    const char* const object = reinterpret_cast<const char*>(places_[home(hash)].object.get());
    for (std::size_t line = 0; line < sizeof(T); line += 64) prefetch(object + line);
  }

  // Calls f(T&) for each, in no order; f may not add or erase.
  template <class F>
  void each(F&& f) const {
    for (const Place& place : places_) {
      if (place.object) f(*place.object);
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Place {
    std::unique_ptr<T> object{};
    std::uint32_t hash = 0;
  };

  static void prefetch(const void* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#else
    static_cast<void>(address);
#endif
  }

  // The hash as a fraction of the table: its size may be any number.
  [[nodiscard]] std::size_t home(std::uint32_t hash) const {
    return static_cast<std::size_t>((std::uint64_t{hash} * places_.size()) >> 32);
  }
  [[nodiscard]] std::size_t next(std::size_t at) const {
    return at + 1 < places_.size() ? at + 1 : 0;
  }
  [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const {
    return to >= from ? to - from : to + places_.size() - from;
  }
  // Where the name is, or else the free place where its search ends.
  [[nodiscard]] std::size_t place_of(const HashedName& name) const {
    std::size_t at = home(name.hash);
    while (places_[at].object) {
      if (places_[at].hash == name.hash && places_[at].object->name() == name.text) break;
      at = next(at);
    }
    return at;
  }
  T* put(std::uint32_t hash, std::unique_ptr<T> object) {
    std::size_t at = home(hash);
    while (places_[at].object) at = next(at);
    places_[at] = {std::move(object), hash};
    return places_[at].object.get();
  }
  // By half: a table of any size is at least half full.
  void grow() {
    std::vector<Place> larger(places_.size() < 8 ? 8 : places_.size() / 2 * 3);
    larger.swap(places_);
    for (Place& old : larger) {
      if (old.object) put(old.hash, std::move(old.object));
    }
  }

  std::vector<Place> places_{};  // at most three in four are taken
  std::size_t size_ = 0;
};

}  // namespace httpuv::base
