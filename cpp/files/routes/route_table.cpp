#include "files/routes/route_table.h"

#include <algorithm>
#include <utility>

#include "base/text/ascii.h"

namespace httpuv::files {
namespace {

enum class Spelling {
  kFine,
  kOdd,      // names no file: a slash inside a segment
  kRefused,  // "..", NUL, a broken "%"
};

// Stands for a separator inside a segment; equal to nothing in a url.
constexpr char kHole = '\0';

// Whether the path is its own normal form (but for a slash at its end).
bool is_plain(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    if (c == '%' || c == '\\' || c == '\0') return false;
    if (c == '/' && i + 1 < path.size() && (path[i + 1] == '/' || path[i + 1] == '.')) return false;
  }
  return true;
}

// Takes the next byte off the path, decoded; `encoded` says whether it was. False when a "%" is
// broken.
bool next_byte(std::string_view& raw, char& c, bool& encoded) {
  c = raw.front();
  encoded = c == '%';
  if (!encoded) {
    raw.remove_prefix(1);
    return true;
  }
  const int high = raw.size() > 2 ? base::hex_value(raw[1]) : -1;
  const int low = raw.size() > 2 ? base::hex_value(raw[2]) : -1;
  raw.remove_prefix(high < 0 || low < 0 ? 1 : 3);
  if (high < 0 || low < 0) return false;
  c = static_cast<char>(high * 16 + low);
  return true;
}

// Collects the normal form of a path, segment by segment: empty and "." segments vanish, ".." stays
// and is noted.
class Normaliser {
 public:
  explicit Normaliser(std::string& out) : out_(out) { out_.clear(); }

  void put(char c) { segment_.push_back(c); }

  // An encoded slash: between two parts that are no segments, but might be taken for some.
  void hole() {
    note(Spelling::kOdd);
    end_part(kHole);
  }

  // The same, but a character of the name.
  void backslash() { end_part('\\'); }

  void end_segment() {
    check_part();
    ended_in_slash_ = segment_.empty() || segment_ == ".";
    if (!ended_in_slash_) out_.append("/").append(segment_);
    segment_.clear();
    part_ = 0;
  }

  void note(Spelling spelling) { spelling_ = std::max(spelling_, spelling); }

  [[nodiscard]] Spelling spelling() const { return spelling_; }
  [[nodiscard]] bool ended_in_slash() const { return ended_in_slash_; }

 private:
  void end_part(char separator) {
    check_part();
    segment_.push_back(separator);
    part_ = segment_.size();
  }

  void check_part() {
    if (std::string_view(segment_).substr(part_) == "..") note(Spelling::kRefused);
  }

  std::string& out_;
  std::string segment_;
  std::size_t part_ = 0;
  Spelling spelling_ = Spelling::kFine;
  bool ended_in_slash_ = false;
};

Spelling normalise(std::string_view raw, std::string& out, bool& directory) {
  Normaliser path(out);
  raw.remove_prefix(1);
  while (!raw.empty()) {
    char c = 0;
    bool encoded = false;
    if (!next_byte(raw, c, encoded)) {
      path.note(Spelling::kRefused);
      path.put(c);
    } else if (c == '/' && !encoded) {
      path.end_segment();
    } else if (c == '/') {
      path.hole();
    } else if (c == '\\') {
      path.backslash();
    } else {
      if (c == '\0') path.note(Spelling::kRefused);
      path.put(c);
    }
  }
  path.end_segment();
  directory = path.ended_in_slash();
  return path.spelling();
}

bool has_hidden_segment(std::string_view rest) {
  std::size_t begin = 0;
  while (begin < rest.size()) {
    const std::size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string_view segment = rest.substr(begin, end - begin);
    // RFC 8615: what lies there is meant to be found.
    if (segment.front() == '.' && segment != ".well-known") return true;
    begin = end + 1;
  }
  return false;
}

// "" or "/a/b".
std::string normal_url(std::string_view url) {
  std::string result;
  std::size_t begin = 0;
  while (begin < url.size()) {
    const std::size_t end = std::min(url.find('/', begin), url.size());
    if (end > begin) result.append("/").append(url.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

}  // namespace

RouteTable::RouteTable(std::vector<Route> routes, std::shared_ptr<const MimeTable> mime)
    : routes_(std::move(routes)), mime_(std::move(mime)) {
  if (mime_ == nullptr) mime_ = std::make_shared<MimeTable>();
  for (Route& route : routes_) {
    route.url = normal_url(route.url);
    while (route.local_path.size() > 1 && route.local_path.ends_with('/')) {
      route.local_path.pop_back();
    }
    std::string& page = route.options.not_found;
    page.erase(0, std::min(page.find_first_not_of('/'), page.size()));
  }
  std::stable_sort(routes_.begin(), routes_.end(),
                   [](const Route& a, const Route& b) { return a.url.size() > b.url.size(); });
}

bool can_be_named(std::string_view name) {
  std::size_t begin = 0;
  while (begin <= name.size()) {
    const std::size_t end = std::min(name.find('\\', begin), name.size());
    if (name.substr(begin, end - begin) == "..") return false;
    begin = end + 1;
  }
  return true;
}

const Route* RouteTable::find(std::string_view path) const {
  for (const Route& route : routes_) {
    const std::size_t size = route.url.size();
    if (path.size() < size || (path.size() > size && path[size] != '/')) continue;
    if (path.substr(0, size) == route.url) return &route;
  }
  return nullptr;
}

Match RouteTable::match(std::string_view raw_path, std::string& scratch) const {
  Match match;
  if (routes_.empty() || raw_path.empty() || raw_path.front() != '/') return match;

  std::string_view path = raw_path;
  Spelling spelling = Spelling::kFine;
  const bool plain = is_plain(raw_path);
  if (plain) {
    match.directory = path.back() == '/';
    if (match.directory) path.remove_suffix(1);
  } else {
    spelling = normalise(raw_path, scratch, match.directory);
    path = scratch;
  }

  const Route* route = find(path);
  if (route == nullptr || route->exclude) return match;
  if (spelling == Spelling::kOdd && route->options.fallthrough) return match;
  if (spelling != Spelling::kFine) {
    match.kind = MatchKind::kBadRequest;
    return match;
  }
  match.kind = MatchKind::kRoute;
  match.route = route;
  path.remove_prefix(route->url.size());
  if (!path.empty()) path.remove_prefix(1);
  match.rest = path;
  match.hidden = !plain && !route->options.dotfiles && has_hidden_segment(match.rest);
  return match;
}

}  // namespace httpuv::files
