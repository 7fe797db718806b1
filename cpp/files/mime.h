// Media types by file name extension.
//
// Built once, immutable inside a RouteTable; any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "files/text_hash.h"

namespace httpuv::files {

inline constexpr std::string_view kDefaultType = "application/octet-stream";

class MimeTable {
 public:
  // Knows the types a web page is made of.
  MimeTable();

  // `extension` without the dot, in any case; the type may carry parameters.
  void set(std::string_view extension, std::string type);

  // By what follows the last dot of the last path segment; kDefaultType when unknown. A name that
  // only begins with a dot (".profile") has no extension. The view lives as long as the table.
  [[nodiscard]] std::string_view type_for(std::string_view file_name) const;

 private:
  std::unordered_map<std::string, std::string, TextHash, std::equal_to<>> types_;
};

// The Content-Type of a file: text/html gets `html_charset` unless that is empty or the type names
// one already.
std::string content_type(const MimeTable& table, std::string_view file_name,
                         std::string_view html_charset);

// Whether compressing bytes of that type is likely to pay (text, not pictures or archives).
bool worth_compressing(std::string_view type);

// Whether they are surely compressed already, so that nobody keeps a .gz beside the file.
bool already_compressed(std::string_view type);

}  // namespace httpuv::files
