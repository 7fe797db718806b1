#include "http/message/request.h"

#include <utility>

#include <array>
#include <cstddef>

namespace httpuv::http {
namespace {

constexpr auto kCount = static_cast<std::size_t>(Field::kCount);

// In the order of Field.
constexpr std::array<std::string_view, kCount> kNames = {
    "",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "connection",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "sec-gpc",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "x-requested-with",
    "x-request-id",
};

// A perfect hash of the names, found by the compiler: the first multiplier that gives every name a
// slot of its own. A name added above takes part by itself.
constexpr unsigned kSlotBits = 9;
using Slots = std::array<std::uint8_t, std::size_t{1} << kSlotBits>;

constexpr std::size_t slot_of(std::string_view name, std::uint32_t multiplier) {
  const auto at = [name](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]));
  };
  const std::size_t last = name.size() - 1;
  const std::uint32_t key = at(0) | at(last) << 8 | at(last > 0 ? last - 1 : 0) << 16 |
                            static_cast<std::uint32_t>(name.size() & 0xFF) << 24;
  return (key * multiplier) >> (32 - kSlotBits);
}

struct PerfectHash {
  std::uint32_t multiplier = 0;
  Slots slots{};
};

constexpr bool fill(PerfectHash& hash) {
  hash.slots = {};
  for (std::size_t i = 1; i < kCount; ++i) {
    std::uint8_t& slot = hash.slots[slot_of(kNames[i], hash.multiplier)];
    if (slot != 0) return false;
    slot = static_cast<std::uint8_t>(i);
  }
  return true;
}

constexpr PerfectHash kHash = [] {
  PerfectHash hash;
  hash.multiplier = 0x9E3779B1;  // odd, and stays so
  while (!fill(hash)) hash.multiplier += 0x3504F334;
  return hash;
}();

}  // namespace

std::string_view first_line(std::string_view head) {
  return head.substr(0, head.find_first_of("\r\n"));
}

std::string_view field_name(Field field) {
  const auto i = static_cast<std::size_t>(field);
  return i < kCount ? kNames[i] : std::string_view();
}

Field find_field(std::string_view lower_case) {
  if (lower_case.empty()) return Field::kOther;
  const std::uint8_t i = kHash.slots[slot_of(lower_case, kHash.multiplier)];
  return kNames[i] == lower_case ? static_cast<Field>(i) : Field::kOther;
}

void RequestHead::clear() {
  bytes.clear();
  fields.clear();
  static_cast<HeadFacts&>(*this) = {};
}

std::string_view RequestHead::get(Field field) const {
  for (const HeaderField& candidate : fields) {
    if (candidate.id == field) return view(candidate.value);
  }
  return {};
}

bool RequestHead::has(Field field) const {
  for (const HeaderField& candidate : fields) {
    if (candidate.id == field) return true;
  }
  return false;
}

std::string RequestHead::joined(Field field) const {
  const std::string_view separator = field == Field::kCookie ? "; " : ", ";
  std::string all;
  bool first = true;
  for (const HeaderField& candidate : fields) {
    if (candidate.id != field) continue;
    if (!first) all.append(separator);
    all.append(view(candidate.value));
    first = false;
  }
  return all;
}

}  // namespace httpuv::http
