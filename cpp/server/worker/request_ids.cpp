#include "server/worker/request_ids.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>

#include "http/proxy/forwarded.h"

namespace httpuv::server {

namespace {

constexpr std::size_t kMostIdBytes = 128;

// SplitMix64: a step, well mixed.
std::uint64_t next(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

char* write_hex(char* out, std::uint64_t number) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) *out++ = kHex[(number >> shift) & 15];
  return out;
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

RequestIds::RequestIds() {
  std::random_device random;
  const auto number = [&] { return std::uint64_t{random()} << 32 | random(); };
  start_ = number();
  state_ = number();
}

void RequestIds::identify(http::RequestHead& head, bool trusted) {
  if (trusted) {
    const std::string_view given = head.get(http::Field::kXRequestId);
    const bool good =
        !given.empty() && given.size() <= kMostIdBytes &&
        std::all_of(given.begin(), given.end(), [](char c) { return c > 0x20 && c < 0x7F; });
    if (good) return;
  }
  std::array<char, 32> name{};
  write_hex(write_hex(name.data(), start_), next(state_));
  http::set_field(head, http::Field::kXRequestId, {name.data(), name.size()});
}

std::string_view trace_id_of(std::string_view traceparent) {
  // version "-" trace-id "-" parent-id "-" flags
  if (traceparent.size() < 55 || traceparent[2] != '-' || traceparent[35] != '-') return {};
  const std::string_view id = traceparent.substr(3, 32);
  const bool good = std::all_of(id.begin(), id.end(), is_hex) &&
                    std::any_of(id.begin(), id.end(), [](char c) { return c != '0'; });
  return good ? id : std::string_view();
}

}  // namespace httpuv::server
