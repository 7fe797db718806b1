#include "server/http/routing/host_check.h"

#include <algorithm>
#include <string_view>

#include "base/text/ascii.h"

namespace httpuv::server {
namespace {

struct Authority {
  std::string_view name;
  std::string_view port;  // "" if there is none
};

// "a:80" -> "a" and "80", "[::1]:80" -> "[::1]" and "80".
Authority split(std::string_view host) {
  const std::size_t name_end =
      !host.empty() && host.front() == '[' ? host.find(']') + 1 : host.find(':');
  Authority result{host.substr(0, name_end), {}};
  if (result.name.size() < host.size()) result.port = host.substr(result.name.size() + 1);
  return result;
}

// The value is a well-formed one already. Only an IPv4 address is made of digits and dots: browsers
// take no name that ends in a number.
bool is_address(std::string_view name) {
  return !name.empty() && (name.front() == '[' || std::all_of(name.begin(), name.end(), [](char c) {
                             return base::is_digit(c) || c == '.';
                           }));
}

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() > end.size() && base::iequals(text.substr(text.size() - end.size()), end);
}

bool name_matches(std::string_view pattern, std::string_view name) {
  return pattern.starts_with("*.") ? ends_with(name, pattern.substr(1))
                                   : base::iequals(pattern, name);
}

// A browser leaves the port out where it is that of the scheme.
bool port_matches(std::string_view wanted, std::string_view port) {
  return wanted.empty() || wanted == port || (port.empty() && (wanted == "80" || wanted == "443"));
}

std::string_view authority_of(const http::RequestHead& head) {
  const std::string_view authority = head.view(head.authority);
  return authority.empty() ? head.get(http::Field::kHost) : authority;
}

struct Origin {
  std::string_view scheme;     // "" if it is none of that shape, such as "null"
  std::string_view authority;  // without the scheme's own port (RFC 6454 section 6.1)
};

std::string_view without_default_port(std::string_view scheme, std::string_view authority) {
  const std::string_view port = base::iequals(scheme, "http")    ? ":80"
                                : base::iequals(scheme, "https") ? ":443"
                                                                 : "";
  if (!port.empty() && authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

Origin split_origin(std::string_view origin) {
  const std::size_t end = origin.find("://");
  if (end == std::string_view::npos) return {{}, origin};
  const std::string_view scheme = origin.substr(0, end);
  return {scheme, without_default_port(scheme, origin.substr(end + 3))};
}

// Whether the page came from here, as far as the browser knows. The scheme is not compared: a proxy
// may have ended TLS.
bool is_same_origin(const Origin& origin, std::string_view authority) {
  return !origin.scheme.empty() &&
         base::iequals(origin.authority, without_default_port(origin.scheme, authority));
}

bool origin_matches(const std::string& pattern, const Origin& origin) {
  const Origin wanted = split_origin(pattern);
  return base::iequals(wanted.scheme, origin.scheme) &&
         name_matches(wanted.authority, origin.authority);
}

}  // namespace

bool host_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head) {
  if (allowed.empty()) return true;
  const Authority host = split(authority_of(head));
  return is_address(host.name) ||
         std::any_of(allowed.begin(), allowed.end(), [&](const std::string& each) {
           const Authority wanted = split(each);
           return name_matches(wanted.name, host.name) && port_matches(wanted.port, host.port);
         });
}

bool origin_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head) {
  std::string_view field = head.get(http::Field::kOrigin);
  // Version 8 of the protocol has another name for it.
  for (const http::HeaderField& each : head.fields) {
    if (head.view(each.name) == "sec-websocket-origin") field = head.view(each.value);
  }
  if (allowed.empty() || field.empty()) return true;
  const Origin origin = split_origin(field);
  return std::any_of(allowed.begin(), allowed.end(), [&](const std::string& each) {
    return each == "same" ? is_same_origin(origin, authority_of(head))
                          : origin_matches(each, origin);
  });
}

}  // namespace httpuv::server
