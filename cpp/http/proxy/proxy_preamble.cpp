#include "http/proxy/proxy_preamble.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "http/proxy/networks.h"

namespace httpuv::http {

namespace {

using Result = ProxyPreamble::Result;

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kWord = "PROXY ";
constexpr std::size_t kMostText = 107;
constexpr std::size_t kHeader = 16;  // of version 2

// The next word of a line; takes the space behind it.
std::string_view word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view found = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return found;
}

bool read_port(std::string_view text, int& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

std::uint8_t byte(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

int two_bytes(std::string_view bytes, std::size_t i) {
  return byte(bytes, i) << 8 | byte(bytes, i + 1);
}

bool begins_like(std::string_view bytes, std::string_view with) {
  const std::size_t size = std::min(bytes.size(), with.size());
  return bytes.substr(0, size) == with.substr(0, size);
}

}  // namespace

Result ProxyPreamble::read(std::string_view bytes) {
  if (begins_like(bytes, kSignature)) return read_binary(bytes);
  if (begins_like(bytes, kWord)) return read_text(bytes);
  return Result::kError;
}

Result ProxyPreamble::read_text(std::string_view bytes) {
  const std::string_view head = bytes.substr(0, kMostText);
  const std::size_t end = head.find("\r\n");
  if (end == std::string_view::npos) {
    return head.size() == kMostText ? Result::kError : Result::kNeedMore;
  }
  size = end + 2;
  std::string_view line = head.substr(kWord.size(), end - kWord.size());
  const std::string_view family = word(line);
  if (family == "UNKNOWN") return Result::kDone;
  if (family != "TCP4" && family != "TCP6") return Result::kError;
  const std::string_view source = word(line);
  const std::string_view target = word(line);
  int target_port = 0;
  const bool six = family == "TCP6";
  const auto fits = [&](std::string_view text) {
    return parse_ip(text) && text.find('%') == std::string_view::npos &&
           (text.find(':') != std::string_view::npos) == six;
  };
  if (!fits(source) || !fits(target)) return Result::kError;
  if (!read_port(word(line), port) || !read_port(word(line), target_port) || !line.empty()) {
    return Result::kError;
  }
  address = source;
  return Result::kDone;
}

Result ProxyPreamble::read_binary(std::string_view bytes) {
  if (bytes.size() < kHeader) return Result::kNeedMore;
  const int version = byte(bytes, 12) >> 4;
  const int command = byte(bytes, 12) & 0xF;
  const int family = byte(bytes, 13) >> 4;
  const auto length = static_cast<std::size_t>(two_bytes(bytes, 14));
  if (version != 2 || command > 1) return Result::kError;
  size = kHeader + length;
  if (size > kMost) return Result::kError;
  if (bytes.size() < size) return Result::kNeedMore;
  const bool local = command == 0;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto read_address = [&](int of, std::size_t ports) {
    if (length < ports + 4) return Result::kError;
    if (inet_ntop(of, bytes.data() + kHeader, text.data(), text.size()) == nullptr) {
      return Result::kError;
    }
    address = text.data();
    if (address.starts_with("::ffff:") && address.find('.') != std::string::npos) {
      address.erase(0, 7);  // IPv4
    }
    port = two_bytes(bytes, kHeader + ports);
    return Result::kDone;
  };
  if (local) return Result::kDone;
  if (family == 1) return read_address(AF_INET, 8);
  if (family == 2) return read_address(AF_INET6, 32);
  return Result::kDone;  // a Unix socket, or nothing that is known here
}

}  // namespace httpuv::http
