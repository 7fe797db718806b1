// The small readers of base/: dates, percent-encoding, base64, UTF-8. What they accept, they write
// back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/encode/base64.h"
#include "base/encode/percent.h"
#include "base/text/http_date.h"
#include "base/text/utf8.h"

namespace {

using namespace httpuv::base;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_date(std::string_view text) {
  constexpr std::int64_t kNow = 1'760'000'000;
  const auto seconds = parse_http_date(text, kNow);
  if (!seconds) return;
  char formatted[kHttpDateSize];
  format_http_date(*seconds, formatted);
  require(parse_http_date(std::string_view(formatted, sizeof formatted), kNow) == seconds);
}

void check_utf8(std::string_view text) {
  const bool whole = is_utf8(text);
  Utf8Validator validator;
  bool good = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool still = validator.feed(text.substr(i, 1));
    require(good || !still);  // stays failed
    good = still;
  }
  require(whole == (good && validator.complete()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_date(text);
  check_utf8(text);
  if (const auto bytes = base64_decode(text)) require(base64_encode(*bytes) == text);
  require(base64_decode(base64_encode(text)) == text);
  percent_decode(text);
  require(percent_decode(percent_encode_path(text)) == text);
  return 0;
}
