#include <doctest/doctest.h>

#include <cstdio>
#include <ctime>
#include <random>
#include <string>

#include "base/text/http_date.h"

namespace httpuv::base {
namespace {

constexpr std::int64_t kNow = 1'760'000'000;  // 9 October 2025

std::string format(std::int64_t seconds) {
  char text[kHttpDateSize];
  format_http_date(seconds, text);
  return std::string(text, sizeof text);
}

TEST_CASE("the three forms of RFC 9110 section 5.6.7 are one time") {
  CHECK(format(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow) == 784111777);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow) == 784111777);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994", kNow) == 784111777);
  CHECK(parse_http_date("Wed Nov 16 08:49:37 1994", kNow) == 784111777 + 10 * 86400);
}

TEST_CASE("format agrees with the C library, and parse with format") {
  std::mt19937_64 random(1123);
  std::uniform_int_distribution<std::int64_t> times(-62135596800, 253402300799);
  for (int i = 0; i < 20000; ++i) {
    const std::time_t seconds = times(random);
    std::tm parts;
    REQUIRE(gmtime_r(&seconds, &parts) != nullptr);
    char day_and_month[32];  // the year may need zeros that strftime does not write
    std::strftime(day_and_month, sizeof day_and_month, "%a, %d %b ", &parts);
    char rest[32];
    std::snprintf(rest, sizeof rest, "%04d %02d:%02d:%02d GMT", parts.tm_year + 1900, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
    CHECK(format(seconds) == std::string(day_and_month) + rest);
    CHECK(parse_http_date(format(seconds), kNow) == seconds);
  }
  CHECK(format(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format(-1) == "Wed, 31 Dec 1969 23:59:59 GMT");
  CHECK(format(951782400) == "Tue, 29 Feb 2000 00:00:00 GMT");
}

TEST_CASE("times past the ends are written as the ends") {
  CHECK(format(INT64_MAX) == "Fri, 31 Dec 9999 23:59:59 GMT");
  CHECK(format(INT64_MIN) == "Sat, 01 Jan 0000 00:00:00 GMT");
}

TEST_CASE("two digits of year are at most 50 years ahead") {
  CHECK(parse_http_date("Monday, 01-Jan-75 00:00:00 GMT", kNow) == 3313526400);  // 2075
  CHECK(parse_http_date("Friday, 10-Oct-75 00:00:00 GMT", kNow) == 182131200);   // 1975
  CHECK(parse_http_date("Friday, 01-Jan-76 00:00:00 GMT", kNow) == 189302400);   // 1976
  CHECK(parse_http_date("Friday, 01-Jan-26 00:00:00 GMT", kNow) == 1767225600);  // 2026
  CHECK(parse_http_date("Friday, 01-Jan-00 00:00:00 GMT", kNow) == 946684800);   // 2000
}

TEST_CASE("a leap second is the second after it") {
  CHECK(parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", kNow) == 1483228800);
}

TEST_CASE("anything else is no date") {
  for (const char* text : {
           "",
           "Sun",
           "Sun, ",
           "Sun, 06 Nov 1994 08:49:37",
           "Sun, 06 Nov 1994 08:49:37 UTC",
           "Sun, 06 Nov 1994 08:49:37 GMT ",
           " Sun, 06 Nov 1994 08:49:37 GMT",
           "sun, 06 Nov 1994 08:49:37 GMT",
           "Sun, 06 nov 1994 08:49:37 GMT",
           "Sun, 6 Nov 1994 08:49:37 GMT",
           "Sun, 06 Nov 94 08:49:37 GMT",
           "Sun, 06-Nov-1994 08:49:37 GMT",
           "Sun, 31 Nov 1994 08:49:37 GMT",
           "Tue, 29 Feb 1900 00:00:00 GMT",
           "Sun, 00 Nov 1994 08:49:37 GMT",
           "Sun, 06 Nov 1994 24:00:00 GMT",
           "Sun, 06 Nov 1994 08:60:00 GMT",
           "Sun, 06 Nov 1994 08:49:61 GMT",
           "Sun, 06 Nov 1994 08:49:-1 GMT",
           "Sun, 06 Nov +994 08:49:37 GMT",
           "Son, 06 Nov 1994 08:49:37 GMT",
           "Sunday, 06 Nov 1994 08:49:37 GMT",
           "Sunday 06-Nov-94 08:49:37 GMT",
           "Sun, 06-Nov-94 08:49:37 GMT",
           "Monda, 06-Nov-94 08:49:37 GMT",
           "Sun Nov 6 08:49:37 1994",
           "Sun Nov  6 08:49:37 94",
           "Sun Nov 06 08:49:37 1994 GMT",
           "784111777",
       }) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text, kNow).has_value());
  }
  const std::string good = "Sun, 06 Nov 1994 08:49:37 GMT";
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_FALSE(parse_http_date(good.substr(0, size), kNow).has_value());
  }
}

}  // namespace
}  // namespace httpuv::base
