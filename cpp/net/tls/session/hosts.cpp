#include "net/tls/session/hosts.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace httpuv::net::tls {

Hosts::Hosts(std::shared_ptr<Identity> other, std::vector<Entry> named)
    : other_(std::move(other)), named_(std::move(named)) {
  const std::vector<std::shared_ptr<Identity>> each = all();
  resumes_ = each.size() == 1 || std::all_of(each.begin(), each.end(), [](const auto& identity) {
               return identity->settings().verify == Verify::kNone;
             });
}

const std::shared_ptr<Identity>& Hosts::find(std::string_view name) const {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);  // RFC 6066: without
  for (const auto& [host, identity] : named_) {
    if (base::iequals(name, host)) return identity;
  }
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return other_;
  const std::string_view parent = name.substr(dot);
  for (const auto& [host, identity] : named_) {
    if (host.starts_with("*.") && base::iequals(parent, std::string_view(host).substr(1))) {
      return identity;
    }
  }
  return other_;
}

std::vector<std::shared_ptr<Identity>> Hosts::all() const {
  std::vector<std::shared_ptr<Identity>> result{other_};
  for (const auto& [host, identity] : named_) {
    if (std::find(result.begin(), result.end(), identity) == result.end()) {
      result.push_back(identity);
    }
  }
  return result;
}

}  // namespace httpuv::net::tls
