// The options of a request for a listing, and the formatting of its parts.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "files/pages/directory.h"

namespace httpuv::files {

// Small, so that the cache can tell requests apart by it.
struct ListingView {
  RowOrder order = RowOrder::kName;
  bool descending = false;
  bool json = false;

  bool operator==(const ListingView&) const = default;
  [[nodiscard]] unsigned number() const {
    return static_cast<unsigned>(order) << 2 | (descending ? 2U : 0U) | (json ? 1U : 0U);
  }
};

// From the query ("sort=name", "sort=-size", "sort=time"; a minus: descending) and the Accept
// field.
ListingView listing_view(std::string_view query, std::string_view accept);

// A link to a name from the page of its directory (RFC 3986 section 4.2), to be written as it is.
std::string relative_reference(std::string_view name);

// "1994-11-06T08:49:37Z"
std::string iso_time(std::int64_t unix_seconds);

}  // namespace httpuv::files
