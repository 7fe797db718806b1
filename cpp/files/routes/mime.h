// Media types by file name extension. Which types there are is the application's to say:
// httpuv/options/mime.py has the table.
//
// Built once, then immutable and shared; any thread.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text/text_hash.h"

namespace httpuv::files {

inline constexpr std::string_view kDefaultType = "application/octet-stream";

class MimeTable {
 public:
  // `extension` without the dot, in any case; the type may carry parameters.
  void set(std::string_view extension, std::string type);

  // By what follows the last dot of the last path segment; kDefaultType when unknown. A name that
  // only begins with a dot (".profile") has no extension. The view lives as long as the table.
  [[nodiscard]] std::string_view type_for(std::string_view file_name) const;

 private:
  std::unordered_map<std::string, std::string, base::TextHash, std::equal_to<>> types_;
};

// The Content-Type of a file: text/html gets `html_charset` unless that is empty or the type names
// one already.
std::string content_type(const MimeTable& table, std::string_view file_name,
                         std::string_view html_charset);

// The coding that the bytes of such a file have by themselves, to be named in Content-Encoding:
// "gzip" for .svgz (SVG 2, section "Conforming SVG servers"), else "". Other compressed files are
// sent as what they are: a .gz is an archive that is downloaded, not the page in it.
std::string_view coding_of(std::string_view file_name, std::string_view type);

}  // namespace httpuv::files
