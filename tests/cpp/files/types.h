// The media types that the tests need.
#pragma once

#include <string>
#include <utility>

#include "files/routes/mime.h"

namespace httpuv::files {

inline MimeTable web_types() {
  constexpr std::pair<const char*, const char*> kTypes[] = {
      {"html", "text/html"},          {"htm", "text/html"},         {"css", "text/css"},
      {"js", "text/javascript"},      {"mjs", "text/javascript"},   {"json", "application/json"},
      {"txt", "text/plain"},          {"svg", "image/svg+xml"},     {"svgz", "image/svg+xml"},
      {"png", "image/png"},           {"wasm", "application/wasm"}, {"gz", "application/gzip"},
      {"br", "application/x-brotli"}, {"zst", "application/zstd"},  {"zip", "application/zip"},
      {"woff2", "font/woff2"},        {"mp4", "video/mp4"},         {"jpg", "image/jpeg"},
  };
  MimeTable table;
  for (const auto& [extension, type] : kTypes) table.set(extension, type);
  return table;
}

}  // namespace httpuv::files
