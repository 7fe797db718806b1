#include "http/proxy/forwarded.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/text/ascii.h"
#include "http/message/target.h"

namespace httpuv::http {

namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The parts between separators that are not in quotes.
std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == separator && !quoted) {
      parts.push_back(trimmed(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  parts.push_back(trimmed(text.substr(begin)));
  return parts;
}

std::string unquoted(std::string_view text) {
  if (text.size() < 2 || text.front() != '"' || text.back() != '"') return std::string(text);
  std::string plain;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] == '\\' && i + 2 < text.size()) ++i;
    plain.push_back(text[i]);
  }
  return plain;
}

std::optional<int> port_of(std::string_view digits) {
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  if (port < 1 || port > 65535) return {};
  return port;
}

struct Node {
  std::string address;
  int port = 0;
};

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80"; nothing for "unknown" and for
// obfuscated names.
std::optional<Node> node_of(std::string_view text) {
  std::string_view address = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    address = text.substr(1, end - 1);
    port = text.substr(end + 1);
  } else if (const std::size_t colon = text.find(':');
             colon != std::string_view::npos && colon == text.rfind(':')) {
    address = text.substr(0, colon);
    port = text.substr(colon);
  }
  if (!parse_ip(address) || address.find('%') != std::string_view::npos) return {};
  Node node{std::string(address), 0};
  if (!port.empty()) {
    if (port.front() != ':') return {};
    node.port = port_of(port.substr(1)).value_or(0);
  }
  return node;
}

// The entry of one proxy.
struct Element {
  std::string node;
  std::string proto;
  std::string host;
  std::string port;
};

std::vector<Element> of_forwarded(const std::string& value) {
  std::vector<Element> elements;
  for (const std::string_view each : split(value, ',')) {
    if (each.empty()) continue;
    Element& element = elements.emplace_back();
    for (const std::string_view pair : split(each, ';')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = pair.substr(0, equals);
      const std::string text = unquoted(pair.substr(equals + 1));
      if (base::iequals(name, "for")) element.node = text;
      if (base::iequals(name, "proto")) element.proto = text;
      if (base::iequals(name, "host")) element.host = text;
    }
  }
  return elements;
}

// If the list has as many entries as there are addresses, they belong together one by one.
// Otherwise the entry of the nearest proxy is used for all.
std::string entry(const std::string& value, std::size_t i, std::size_t count) {
  if (value.empty()) return {};
  const std::vector<std::string_view> entries = split(value, ',');
  return std::string(entries.size() == count ? entries[i] : entries.back());
}

std::vector<Element> of_x_forwarded(const RequestHead& head) {
  const std::string addresses = head.joined(Field::kXForwardedFor);
  std::vector<std::string_view> nodes;
  if (!addresses.empty()) nodes = split(addresses, ',');
  const std::size_t count = nodes.empty() ? 1 : nodes.size();
  const std::string proto = head.joined(Field::kXForwardedProto);
  const std::string host = head.joined(Field::kXForwardedHost);
  const std::string port = head.joined(Field::kXForwardedPort);
  std::vector<Element> elements(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!nodes.empty()) elements[i].node = nodes[i];
    elements[i].proto = entry(proto, i, count);
    elements[i].host = entry(host, i, count);
    elements[i].port = entry(port, i, count);
  }
  return elements;
}

bool has_x_forwarded(const RequestHead& head) {
  return head.has(Field::kXForwardedFor) || head.has(Field::kXForwardedProto) ||
         head.has(Field::kXForwardedHost) || head.has(Field::kXForwardedPort);
}

std::string host_of(const Element& element, std::optional<bool> https) {
  if (!is_host_and_port(element.host)) return {};
  std::string host = element.host;
  const auto port = port_of(element.port);
  const bool usual = !port || *port == (https.value_or(false) ? 443 : 80);
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
  if (!usual && !has_port) host.append(":").append(std::to_string(*port));
  return host;
}

}  // namespace

Forwarded read_forwarded(const RequestHead& head, const Networks& trusted) {
  Forwarded result;
  std::vector<Element> elements;
  if (has_x_forwarded(head)) {
    elements = of_x_forwarded(head);
  } else if (head.has(Field::kForwarded)) {
    elements = of_forwarded(head.joined(Field::kForwarded));
  }
  for (std::size_t i = elements.size(); i-- > 0;) {
    const Element& element = elements[i];
    const auto node = node_of(element.node);
    if (node) {
      result.address = node->address;
      result.port = node->port;
    }
    if (base::iequals(element.proto, "https") || base::iequals(element.proto, "wss")) {
      result.https = true;
    } else if (base::iequals(element.proto, "http") || base::iequals(element.proto, "ws")) {
      result.https = false;
    }
    const std::string host = host_of(element, result.https);
    if (!host.empty()) result.host = host;
    if (!node || !trusted.contain(node->address)) break;
  }
  return result;
}

void set_field(RequestHead& head, Field field, std::string_view value) {
  head.number = 0;
  const auto append = [&](std::string_view text) {
    const Slice slice{static_cast<std::uint32_t>(head.bytes.size()),
                      static_cast<std::uint32_t>(text.size())};
    head.bytes.append(text);
    return slice;
  };
  const auto first = std::find_if(head.fields.begin(), head.fields.end(),
                                  [&](const HeaderField& each) { return each.id == field; });
  if (first == head.fields.end()) {
    const Slice name = append(field_name(field));
    head.fields.push_back({name, append(value), field});
    return;
  }
  first->value = append(value);
  head.fields.erase(std::remove_if(first + 1, head.fields.end(),
                                   [&](const HeaderField& each) { return each.id == field; }),
                    head.fields.end());
}

}  // namespace httpuv::http
