#include "server/host_check.h"

#include <algorithm>
#include <string_view>

#include "base/ascii.h"

namespace httpuv::server {
namespace {

// The name in a Host value, without the port: "a:80" -> "a", "[::1]:80" -> "[::1]".
std::string_view host_name(std::string_view host) {
  if (!host.empty() && host.front() == '[') return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// The value is a well-formed one already. Only an IPv4 address is made of digits and dots: browsers
// take no name that ends in a number.
bool is_address(std::string_view name) {
  return !name.empty() && (name.front() == '[' || std::all_of(name.begin(), name.end(), [](char c) {
                             return base::is_digit(c) || c == '.';
                           }));
}

}  // namespace

bool host_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head) {
  if (allowed.empty()) return true;
  const std::string_view authority = head.view(head.authority);
  const std::string_view name =
      host_name(authority.empty() ? head.get(http::Field::kHost) : authority);
  return is_address(name) ||
         std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& each) { return base::iequals(each, name); });
}

}  // namespace httpuv::server
