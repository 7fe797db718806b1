#include "coding/coding.h"

#include <array>

namespace httpuv::coding {

std::string_view coding_name(Coding coding) {
  constexpr std::array<std::string_view, kCodings> kNames = {"br", "zstd", "gzip"};
  return kNames[static_cast<std::size_t>(coding)];
}

std::string_view coding_extension(Coding coding) {
  constexpr std::array<std::string_view, kCodings> kExtensions = {".br", ".zst", ".gz"};
  return kExtensions[static_cast<std::size_t>(coding)];
}

}  // namespace httpuv::coding
