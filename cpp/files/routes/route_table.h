// The table of static URL paths and their local paths: the longest prefix of whole segments wins.
//
// Immutable. Built on a thread of the application, moved to the loop thread in a command, read
// there and on pool threads. Construction never fails: what it is given was checked before
// (header_error(), absolute local paths).
//
// A request's path is compared decoded and with "//" and "/./" collapsed, so that no spelling gets
// around an excluded path. Refused (kBadRequest) under a static path: a ".." segment however it is
// spelled ("%2e", and with "\", "%2f" and "%5c" taken for separators), NUL, a "%" without two
// digits. An encoded slash elsewhere names no file: refused as well, or left to the application
// where the route falls through. Any other backslash is a character of a name, as POSIX has it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "files/routes/mime.h"
#include "files/routes/options.h"

namespace httpuv::files {

// Whether a request can name a file so: the name of one directory entry, as the system has it.
bool can_be_named(std::string_view name);

struct Route {
  std::string url;         // decoded; the table normalises it to "" (the root) or "/a/b"
  std::string local_path;  // absolute; a directory, or one file. Trailing slashes are dropped.
  bool exclude = false;    // the application's, whatever a shorter prefix says
  Options options;
  std::uint64_t device = 0;  // st_dev of local_path when the table was made; 0: not known
};

enum class MatchKind {
  kNone,        // not static: the application's
  kRoute,       // static: resolve it
  kBadRequest,  // 400
};

struct Match {
  MatchKind kind = MatchKind::kNone;
  const Route* route = nullptr;  // for kRoute; lives as long as the table
  // The path below the route, decoded, with neither leading nor trailing slash. A view of the path
  // or of the scratch string it was matched with.
  std::string_view rest;
  bool directory = false;  // the path ended in a slash
  bool hidden = false;     // a segment of `rest` begins with "." and is not ".well-known"
};

class RouteTable {
 public:
  RouteTable(std::vector<Route> routes, std::shared_ptr<const MimeTable> mime);

  // `raw_path`: a request's path as sent, without the query. `scratch` is used where decoding
  // changes something.
  Match match(std::string_view raw_path, std::string& scratch) const;

  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }
  [[nodiscard]] const MimeTable& mime() const { return *mime_; }
  [[nodiscard]] bool empty() const { return routes_.empty(); }

 private:
  const Route* find(std::string_view path) const;

  std::vector<Route> routes_;  // longest url first
  std::shared_ptr<const MimeTable> mime_;
};

}  // namespace httpuv::files
