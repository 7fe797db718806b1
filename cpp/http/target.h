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

// False if `target` is of no form that its method allows: absolute paths and http(s) URIs for all
// but CONNECT, "*" for some, host:port for CONNECT. A fragment has no place in a target, and a user
// name none any more (RFC 9110 section 4.2.4), but clients send them, and no two readers disagree
// on where they end: they are left out of the parts. Characters are llhttp's business.
bool parse_target(std::string_view target, TargetKind kind, Target& parts);

// uri-host [ ":" port ] (RFC 9110 section 7.2): a registered name, an IPv4 address or an IPv6
// address in brackets. Not empty.
bool is_host_and_port(std::string_view text);

}  // namespace httpuv::http
