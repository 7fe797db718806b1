#include "http/message/target.h"

#include <arpa/inet.h>

#include <array>
#include <cstddef>

#include "base/text/ascii.h"

namespace httpuv::http {
namespace {

// *DIGIT (RFC 3986 section 3.2.3), and a port that exists.
bool is_port(std::string_view text) {
  unsigned value = 0;
  for (const char c : text) {
    if (!base::is_digit(c)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return false;
  }
  return true;
}

bool is_ipv6(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof terminated) return false;
  for (const char c : text) {
    if (base::hex_value(c) < 0 && c != ':' && c != '.') return false;
  }
  terminated[text.copy(terminated, text.size())] = '\0';
  in6_addr address;
  return inet_pton(AF_INET6, terminated, &address) == 1;
}

// reg-name without the empty one (RFC 3986 section 3.2.2); an IPv4 address looks like one.
bool is_registered_name(std::string_view text) {
  static constexpr auto kPlain = [] {
    std::array<bool, 256> table{};
    for (unsigned c = 0; c < 128; ++c) {
      table[c] = base::is_alpha(static_cast<char>(c)) || base::is_digit(static_cast<char>(c));
    }
    for (const char c : std::string_view("-._~!$&'()*+,;="))
      table[static_cast<unsigned char>(c)] = true;
    return table;
  }();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (kPlain[static_cast<unsigned char>(c)]) continue;
    if (c != '%' || text.size() - i < 3) return false;
    if (base::hex_value(text[i + 1]) < 0 || base::hex_value(text[i + 2]) < 0) return false;
    i += 2;
  }
  return !text.empty();
}

void split_path(std::string_view path_and_query, Target& parts) {
  const std::size_t mark = path_and_query.find('?');
  parts.path = path_and_query.substr(0, mark);
  parts.has_query = mark != std::string_view::npos;
  if (parts.has_query) parts.query = path_and_query.substr(mark + 1);
}

// http and https, in any case; 0 for anything else.
std::size_t scheme_size(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (base::iequals(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

bool is_host_and_port(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos || !is_ipv6(text.substr(1, bracket - 1))) return false;
    const std::string_view rest = text.substr(bracket + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && !is_port(text.substr(colon + 1))) return false;
  return is_registered_name(text.substr(0, colon));
}

bool parse_target(std::string_view target, TargetKind kind, Target& parts) {
  if (kind == TargetKind::kConnect) {
    // Here the port is not optional (RFC 9110 section 9.3.6).
    parts.authority = target;
    return is_host_and_port(target) && target.find(':') != std::string_view::npos &&
           base::is_digit(target.back());
  }
  target = target.substr(0, target.find('#'));
  if (target.starts_with('/')) {
    split_path(target, parts);
    return true;
  }
  if (target == "*") {
    parts.path = target;
    return kind == TargetKind::kAsteriskToo;
  }
  const std::size_t scheme = scheme_size(target);
  if (scheme == 0) return false;
  const std::string_view rest = target.substr(scheme);
  const std::size_t end = rest.find_first_of("/?");
  parts.authority = rest.substr(0, end);
  parts.authority.remove_prefix(parts.authority.find('@') + 1);  // npos + 1 is 0
  split_path(end == std::string_view::npos ? std::string_view() : rest.substr(end), parts);
  if (parts.path.empty())
    parts.path = target.substr(scheme - 1, 1);  // "/" (RFC 9110 section 4.2.3)
  return is_host_and_port(parts.authority);
}

}  // namespace httpuv::http
