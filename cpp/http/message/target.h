// The four forms of a request target (RFC 9112 section 3.2), and the host[:port] in it or in Host.
//
// Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::http {

// What the method allows.
enum class TargetKind : std::uint8_t { kConnect, kAsteriskToo, kOther };

// Parts of the target's own characters.
struct Target {
  std::string_view path;
  std::string_view query;
  std::string_view authority;
  bool has_query = false;
};

// False if `target` has no form that its method allows: absolute paths and http(s) URIs except for
// CONNECT, "*" for some, host:port for CONNECT. Fragments and user names are not allowed (RFC 9110
// section 4.2.4), but clients send them and all parsers agree on their end, so they are left out of
// the parts. llhttp has checked the characters.
bool parse_target(std::string_view target, TargetKind kind, Target& parts);

// uri-host [ ":" port ] (RFC 9110 section 7.2): a registered name, an IPv4 address or an IPv6
// address in brackets. Not empty.
bool is_host_and_port(std::string_view text);

}  // namespace httpuv::http
