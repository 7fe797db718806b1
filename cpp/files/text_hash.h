// Hashes text for maps that are searched with a std::string_view. Keys that a client chooses need
// the seed: it is random in each process, so that nobody can prepare names that collide.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace httpuv::files {

// Random in each process, fixed from the first call on.
std::uint64_t hash_seed();

// Spreads well and is fast; no cryptographic strength.
std::uint64_t hash_text(std::string_view text, std::uint64_t seed);

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return static_cast<std::size_t>(hash_text(text, 0));
  }
};

}  // namespace httpuv::files
