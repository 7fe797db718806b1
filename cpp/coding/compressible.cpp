#include "coding/compressible.h"

#include <algorithm>
#include <array>

#include "base/text/ascii.h"

namespace httpuv::coding {
namespace {

template <std::size_t n>
bool among(const std::array<std::string_view, n>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

std::string essence_of(std::string_view type) {
  std::string essence(base::trim_ows(type.substr(0, type.find(';'))));
  base::lower_in_place(essence.data(), essence.size());
  return essence;
}

bool worth_compressing(std::string_view type) {
  constexpr std::array<std::string_view, 16> kTypes = {
      "application/javascript",
      "application/json",
      "application/x-ndjson",
      "application/xml",
      "application/wasm",
      "application/rtf",
      "application/sql",
      "application/x-javascript",
      "application/x-sh",
      "application/vnd.ms-fontobject",
      "font/collection",
      "font/otf",
      "font/ttf",
      "image/bmp",
      "image/vnd.microsoft.icon",
      "image/x-icon",
  };
  const std::string kind = essence_of(type);
  return kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml") ||
         among(kTypes, kind);
}

bool already_compressed(std::string_view type) {
  constexpr std::array<std::string_view, 13> kTypes = {
      "application/gzip",
      "application/java-archive",
      "application/vnd.rar",
      "application/x-7z-compressed",
      "application/x-brotli",
      "application/x-bzip2",
      "application/x-gzip",
      "application/x-xz",
      "application/x-zip-compressed",
      "application/zip",
      "application/zstd",
      "font/woff",
      "font/woff2",
  };
  if (worth_compressing(type)) return false;
  const std::string kind = essence_of(type);
  return kind.starts_with("image/") || kind.starts_with("audio/") || kind.starts_with("video/") ||
         kind.ends_with("+zip") || among(kTypes, kind);
}

}  // namespace httpuv::coding
