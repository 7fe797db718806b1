// Any bytes as a request's path: what comes out as static lies below its route, in normal form, and
// is never one of the excluded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encode/percent.h"
#include "files/routes/route_table.h"

using httpuv::files::Match;
using httpuv::files::MatchKind;
using httpuv::files::Route;
using httpuv::files::RouteTable;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

Route route(const char* url, bool exclude, bool fallthrough) {
  Route made;
  made.url = url;
  made.local_path = "/srv";
  made.exclude = exclude;
  made.options.fallthrough = fallthrough;
  return made;
}

const RouteTable& table() {
  static const RouteTable routes(
      {route("/", false, true), route("/a", false, false), route("/a/b", true, false),
       route("/a/b/c", false, false), route("/a b", false, false)},
      nullptr);
  return routes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  const Match match = table().match(path, scratch);
  if (match.kind == MatchKind::kNone) return 0;
  require(path.front() == '/');
  if (match.kind == MatchKind::kBadRequest) return 0;

  const std::string rest(match.rest);
  const std::string framed = "/" + rest + "/";
  require(framed.find("/../") == std::string::npos);
  require(framed.find("/./") == std::string::npos);
  require(rest.empty() || framed.find("//") == std::string::npos);
  require(rest.find('\0') == std::string::npos);
  // Nor is it another path where a backslash is taken for a separator.
  for (std::string_view parts = rest; !parts.empty();) {
    const std::size_t end = std::min(parts.find_first_of("/\\"), parts.size());
    require(parts.substr(0, end) != "..");
    parts.remove_prefix(std::min(end + 1, parts.size()));
  }
  require(!match.route->exclude);
  if (match.route->url == "/a") require(rest != "b" && !rest.starts_with("b/"));

  // The normal form, sent again, means the same.
  std::string again = httpuv::base::percent_encode_path(match.route->url + "/" + rest);
  if (rest.empty() && !match.directory) again.pop_back();
  if (!rest.empty() && match.directory) again += "/";
  std::string other_scratch;
  const Match second = table().match(again, other_scratch);
  require(second.kind == MatchKind::kRoute);
  require(second.route == match.route && second.rest == rest && second.hidden == match.hidden);
  return 0;
}
