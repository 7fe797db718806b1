#include "base/text/http_date.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "base/text/ascii.h"

namespace httpuv::base {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kSecondsPerDay = 86400;
constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                   "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

constexpr std::int64_t kFirst = -62167219200;  // 0000-01-01T00:00:00Z
constexpr std::int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z

void put_two(char* out, unsigned value) {
  out[0] = static_cast<char>('0' + value / 10);
  out[1] = static_cast<char>('0' + value % 10);
}

// Reads from the front of a text; after the first mismatch every further read fails.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  void literal(std::string_view expected) {
    if (rest_.starts_with(expected)) {
      rest_.remove_prefix(expected.size());
    } else {
      fail();
    }
  }

  int digits(std::size_t count) {
    if (rest_.size() < count) return fail();
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (!is_digit(c)) return fail();
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  // 1 to 12
  unsigned month() {
    if (rest_.size() < 3) return static_cast<unsigned>(fail());
    for (unsigned i = 0; i < 12; ++i) {
      if (rest_.substr(0, 3) != kMonths.substr(std::size_t{3} * i, 3)) continue;
      rest_.remove_prefix(3);
      return i + 1;
    }
    return static_cast<unsigned>(fail());
  }

  // Second of the day. 60 is a leap second.
  int time() {
    const int hour = digits(2);
    literal(":");
    const int minute = digits(2);
    literal(":");
    const int second = digits(2);
    if (hour > 23 || minute > 59 || second > 60) return fail();
    return (hour * 60 + minute) * 60 + second;
  }

  bool skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  [[nodiscard]] bool done() const { return good_ && rest_.empty(); }

 private:
  int fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }

  std::string_view rest_;
  bool good_ = true;
};

std::optional<std::int64_t> to_seconds(int year, unsigned month, int day, int second_of_day) {
  const year_month_day date(std::chrono::year(year), std::chrono::month(month),
                            std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  return std::int64_t{sys_days(date).time_since_epoch().count()} * kSecondsPerDay + second_of_day;
}

// Behind "Sun, ": 06 Nov 1994 08:49:37 GMT
std::optional<std::int64_t> parse_fixdate(std::string_view text) {
  Reader reader(text);
  const int day = reader.digits(2);
  reader.literal(" ");
  const unsigned month = reader.month();
  reader.literal(" ");
  const int year = reader.digits(4);
  reader.literal(" ");
  const int time = reader.time();
  reader.literal(" GMT");
  return reader.done() ? to_seconds(year, month, day, time) : std::nullopt;
}

// Behind "Sunday, ": 06-Nov-94 08:49:37 GMT
std::optional<std::int64_t> parse_rfc850(std::string_view text, std::int64_t now) {
  Reader reader(text);
  const int day = reader.digits(2);
  reader.literal("-");
  const unsigned month = reader.month();
  reader.literal("-");
  const int two_digits = reader.digits(2);
  reader.literal(" ");
  const int time = reader.time();
  reader.literal(" GMT");
  if (!reader.done()) return std::nullopt;

  constexpr std::int64_t kFiftyYears = std::int64_t{50} * 31556952;  // mean Gregorian years
  now = std::clamp(now, kFirst, kLast);
  const year_month_day today(
      sys_days(std::chrono::floor<days>(std::chrono::sys_seconds(std::chrono::seconds(now)))));
  const int last_year = static_cast<int>(today.year()) + 51;
  int year = last_year - (last_year - two_digits) % 100;
  auto seconds = to_seconds(year, month, day, time);
  if (seconds && *seconds > now + kFiftyYears) seconds = to_seconds(year - 100, month, day, time);
  return seconds;
}

// Behind "Sun ": Nov  6 08:49:37 1994
std::optional<std::int64_t> parse_asctime(std::string_view text) {
  Reader reader(text);
  const unsigned month = reader.month();
  reader.literal(" ");
  const int day = reader.skip(' ') ? reader.digits(1) : reader.digits(2);
  reader.literal(" ");
  const int time = reader.time();
  reader.literal(" ");
  const int year = reader.digits(4);
  return reader.done() ? to_seconds(year, month, day, time) : std::nullopt;
}

}  // namespace

void format_http_date(std::int64_t unix_seconds, char (&out)[kHttpDateSize]) {
  const std::int64_t seconds = std::clamp(unix_seconds, kFirst, kLast);
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const sys_days day = std::chrono::floor<days>(time);
  const year_month_day date(day);
  const auto of_day = static_cast<unsigned>((time - day).count());
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  std::string_view("Sun, 06 Nov 1994 08:49:37 GMT").copy(out, kHttpDateSize);
  kDays[std::chrono::weekday(day).c_encoding()].copy(out, 3);
  put_two(out + 5, static_cast<unsigned>(date.day()));
  kMonths.substr((static_cast<unsigned>(date.month()) - 1) * std::size_t{3}, 3).copy(out + 8, 3);
  put_two(out + 12, year / 100);
  put_two(out + 14, year % 100);
  put_two(out + 17, of_day / 3600);
  put_two(out + 20, of_day / 60 % 60);
  put_two(out + 23, of_day % 60);
}

std::optional<std::int64_t> parse_http_date(std::string_view text, std::int64_t now) {
  for (const std::string_view day : kDays) {
    if (!text.starts_with(day.substr(0, 3))) continue;
    const std::string_view rest = text.substr(3);
    if (rest.starts_with(", ")) return parse_fixdate(rest.substr(2));
    if (rest.starts_with(" ")) return parse_asctime(rest.substr(1));
    const std::string_view long_rest = day.substr(3);
    if (rest.starts_with(long_rest) && rest.substr(long_rest.size()).starts_with(", ")) {
      return parse_rfc850(rest.substr(long_rest.size() + 2), now);
    }
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace httpuv::base
