#include "files/mime.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"

namespace httpuv::files {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  base::lower_in_place(result.data(), result.size());
  return result;
}

// Without its parameters, lower-case.
std::string essence(std::string_view type) {
  return lower(base::trim_ows(type.substr(0, type.find(';'))));
}

template <std::size_t n>
bool among(const std::array<std::string_view, n>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

}  // namespace

void MimeTable::set(std::string_view extension, std::string type) {
  types_[lower(extension)] = std::move(type);
}

std::string_view MimeTable::type_for(std::string_view file_name) const {
  const std::size_t slash = file_name.rfind('/');
  if (slash != std::string_view::npos) file_name.remove_prefix(slash + 1);
  const std::size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return kDefaultType;
  const auto found = types_.find(lower(file_name.substr(dot + 1)));
  return found == types_.end() ? kDefaultType : std::string_view(found->second);
}

std::string content_type(const MimeTable& table, std::string_view file_name,
                         std::string_view html_charset) {
  std::string type(table.type_for(file_name));
  const std::string kind = essence(type);
  if (!kind.starts_with("text/") || lower(type).find("charset=") != std::string::npos) return type;
  // Text that is not HTML cannot name its charset itself and would be read in the one of its
  // reader's country (RFC 6657 section 3).
  const std::string_view charset = kind == "text/html" ? html_charset : "utf-8";
  if (!charset.empty()) type.append("; charset=").append(charset);
  return type;
}

std::string_view coding_of(std::string_view file_name, std::string_view type) {
  constexpr std::string_view kSvgz = ".svgz";
  const bool named = file_name.size() > kSvgz.size() &&
                     base::iequals(file_name.substr(file_name.size() - kSvgz.size()), kSvgz);
  return named && essence(type) == "image/svg+xml" ? "gzip" : "";
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
  const std::string kind = essence(type);
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
  const std::string kind = essence(type);
  return kind.starts_with("image/") || kind.starts_with("audio/") || kind.starts_with("video/") ||
         kind.ends_with("+zip") || among(kTypes, kind);
}

}  // namespace httpuv::files
