// The addresses and networks of trusted proxies.
//
// Thread: any. Owner: values. Failure: add() is false for what is neither.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace httpuv::http {

// IPv4 addresses are mapped to IPv6 (::ffff:a.b.c.d), so that both forms of an address are equal.
using IpAddress = std::array<std::uint8_t, 16>;
std::optional<IpAddress> parse_ip(std::string_view text);

class Networks {
 public:
  // An address, a network ("10.0.0.0/8", "fd00::/8"), "unix" or "*".
  bool add(std::string_view text);
  [[nodiscard]] bool empty() const { return !all_ && !unix_ && networks_.empty(); }
  // `address` as net::Peer has it: "" is a Unix socket's.
  [[nodiscard]] bool contain(std::string_view address) const;

 private:
  struct Network {
    IpAddress address{};
    int bits = 0;
  };
  std::vector<Network> networks_;
  bool all_ = false;
  bool unix_ = false;
};

}  // namespace httpuv::http
