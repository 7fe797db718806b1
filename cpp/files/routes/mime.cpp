#include "files/routes/mime.h"

#include <utility>

#include "base/text/ascii.h"
#include "coding/compressible.h"

namespace httpuv::files {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  base::lower_in_place(result.data(), result.size());
  return result;
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
  const std::string kind = coding::essence_of(type);
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
  return named && coding::essence_of(type) == "image/svg+xml" ? "gzip" : "";
}

}  // namespace httpuv::files
