// Hashes text for hash tables that are searched with a std::string_view.
//
// SipHash-1-3 with a random key in each process, so a client cannot prepare texts that collide. The
// same key and text give the same value on every machine. It is not a digest: no value that leaves
// the process may be derived from it.
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace httpuv::base {

struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// Random in each process, fixed from the first call on.
const HashKey& process_hash_key();

// Aumasson and Bernstein, "SipHash: a fast short-input PRF", with one round for each word and three
// at the end.
std::uint64_t hash_text(std::string_view text, const HashKey& key);

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return static_cast<std::size_t>(hash_text(text, process_hash_key()));
  }
};

}  // namespace httpuv::base
