#include "files/pages/listing_view.h"

#include <algorithm>
#include <ctime>

#include "base/encode/percent.h"
#include "files/pages/accept.h"

namespace httpuv::files {

ListingView listing_view(std::string_view query, std::string_view accept) {
  ListingView view;
  view.json = wants_json(accept);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (!item.starts_with("sort=")) continue;
    item.remove_prefix(5);
    view.descending = item.starts_with('-');
    if (view.descending) item.remove_prefix(1);
    view.order = item == "size"   ? RowOrder::kSize
                 : item == "time" ? RowOrder::kTime
                                  : RowOrder::kName;
  }
  return view;
}

std::string relative_reference(std::string_view name) {
  // A colon would be taken for the end of a scheme. What HTML has to escape is encoded as well:
  // programs that read listings (fsspec's HTTP file system) take the attribute as it stands.
  std::string out;
  for (const char c : base::percent_encode_path(name)) {
    switch (c) {
      case ':':
        out += "%3A";
        break;
      case '&':
        out += "%26";
        break;
      case '\'':
        out += "%27";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string iso_time(std::int64_t unix_seconds) {
  std::tm parts = {};
  const auto time = static_cast<std::time_t>(unix_seconds);
  if (::gmtime_r(&time, &parts) == nullptr) return "";
  char text[40];
  return std::string(text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts));
}

}  // namespace httpuv::files
