#include "http/proxy/networks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace httpuv::http {

namespace {

constexpr int kMappedBits = 96;

// The bits of `from` behind the first `bits` are not compared.
bool same_network(const IpAddress& a, const IpAddress& b, int bits) {
  const auto whole = static_cast<std::size_t>(bits / 8);
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) {
    return false;
  }
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF << (8 - rest));
  return ((a[whole] ^ b[whole]) & mask) == 0;
}

}  // namespace

std::optional<IpAddress> parse_ip(std::string_view text) {
  // A zone names an interface of this machine, not a part of the address.
  if (const std::size_t zone = text.find('%'); zone != std::string_view::npos) {
    text = text.substr(0, zone);
  }
  const std::string copy(text);
  IpAddress address{};
  if (inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  in_addr four{};
  if (inet_pton(AF_INET, copy.c_str(), &four) != 1) return {};
  address[10] = address[11] = 0xFF;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&four);
  std::copy(bytes, bytes + 4, address.begin() + 12);
  return address;
}

bool Networks::add(std::string_view text) {
  if (text == "*") return all_ = true;
  if (text == "unix") return unix_ = true;
  const std::size_t slash = text.find('/');
  const std::string_view name = text.substr(0, slash);
  const auto address = parse_ip(name);
  if (!address) return false;
  const int most = name.find(':') == std::string_view::npos ? 32 : 128;
  int bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size()) return false;
  }
  if (bits < 0 || bits > most) return false;
  networks_.push_back({*address, most == 32 ? bits + kMappedBits : bits});
  return true;
}

bool Networks::contain(std::string_view address) const {
  if (all_) return true;
  if (address.empty()) return unix_;
  const auto parsed = parse_ip(address);
  if (!parsed) return false;
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& each) {
    return same_network(each.address, *parsed, each.bits);
  });
}

}  // namespace httpuv::http
