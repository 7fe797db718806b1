#include "base/encode/percent.h"

#include <cstddef>

#include "base/text/ascii.h"

namespace httpuv::base {
namespace {

// pchar and "/" (RFC 3986 section 3.3).
bool stands_in_path(char c) {
  constexpr std::string_view kOthers = "-._~!$&'()*+,;=:@/";
  return is_alpha(c) || is_digit(c) || kOthers.find(c) != std::string_view::npos;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  const std::size_t first = text.find('%');
  std::string bytes(text.substr(0, first));
  if (first == std::string_view::npos) return bytes;
  bytes.reserve(text.size());
  for (std::size_t i = first; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

std::string percent_encode_path(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  text.reserve(bytes.size());
  for (const char c : bytes) {
    if (stands_in_path(c)) {
      text.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text.push_back('%');
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

}  // namespace httpuv::base
