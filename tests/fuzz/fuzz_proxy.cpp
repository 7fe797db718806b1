// What stands in front of HTTP or is said about clients in it: the PROXY protocol, Forwarded and
// its like. Whatever comes, what is read is an address, and the same in any pieces.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/message/target.h"
#include "http/proxy/forwarded.h"
#include "http/proxy/networks.h"
#include "http/proxy/proxy_preamble.h"

using namespace httpuv::http;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void read_preamble(std::string_view bytes) {
  using Result = ProxyPreamble::Result;
  Result last = Result::kNeedMore;
  std::string address;
  for (std::size_t size = 0; size <= bytes.size() && last == Result::kNeedMore; ++size) {
    ProxyPreamble preamble;
    last = preamble.read(bytes.substr(0, size));
    if (last != Result::kDone) continue;
    require(preamble.size == size && size <= ProxyPreamble::kMost);
    require(preamble.port >= 0 && preamble.port <= 65535);
    require(preamble.address.empty() || parse_ip(preamble.address));
    address = preamble.address;
  }
  require(last != Result::kNeedMore || bytes.size() < ProxyPreamble::kMost);
  ProxyPreamble whole;
  require(whole.read(bytes) == last);
  require(last != Result::kDone || whole.address == address);
}

void read_fields(std::string_view text) {
  RequestHead head;
  const auto add = [&](Field field, std::string_view value) {
    const auto offset = static_cast<std::uint32_t>(head.bytes.size());
    head.bytes.append(value);
    head.fields.push_back({{}, {offset, static_cast<std::uint32_t>(value.size())}, field});
  };
  add(Field::kHost, "here");
  constexpr Field kFields[] = {Field::kForwarded, Field::kXForwardedFor, Field::kXForwardedProto,
                               Field::kXForwardedHost, Field::kXForwardedPort};
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!line.empty()) add(kFields[static_cast<unsigned char>(line[0]) % 5], line.substr(1));
  }
  Networks trusted;
  trusted.add("10.0.0.0/8");
  const Forwarded said = read_forwarded(head, trusted);
  require(said.address.empty() || parse_ip(said.address));
  require(said.port >= 0 && said.port <= 65535);
  require(said.host.empty() || is_host_and_port(said.host));
  if (!said.host.empty()) {
    set_field(head, Field::kHost, said.host);
    require(head.get(Field::kHost) == said.host);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) return 0;
  if ((input[0] & 1) == 0) {
    read_preamble(input.substr(1));
  } else {
    read_fields(input.substr(1));
  }
  return 0;
}
