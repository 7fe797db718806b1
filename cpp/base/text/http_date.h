// Dates as HTTP writes them (RFC 9110 section 5.6.7). Seconds count from 1970-01-01T00:00:00Z.
//
// Pure functions, any thread; no locale and no time zone are consulted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace httpuv::base {

inline constexpr std::size_t kHttpDateSize = 29;

// Writes an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". No terminating NUL. Times outside the
// years 0 to 9999 are written as the nearest one inside.
void format_http_date(std::int64_t unix_seconds, char (&out)[kHttpDateSize]);

// Reads an IMF-fixdate, an RFC 850 date or an asctime date; nothing for anything else, nor for a
// day or time that does not exist (a leap second counts as the second after it). The name of the
// day must be one, but need not fit the date. An RFC 850 date has two digits of year: it is the
// latest such year that is not more than 50 years after `now`.
std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now);

}  // namespace httpuv::base
