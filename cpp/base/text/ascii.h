// ASCII as HTTP uses it: case folding, tokens, optional white space, comma lists (RFC 9110 section
// 5.6). Bytes above 0x7F are data, never letters; the C locale is not consulted.
//
// Pure functions, any thread; nothing here fails.
#pragma once

#include <cstddef>
#include <string_view>

namespace httpuv::base {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
  return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

// The value of a hexadecimal digit, or -1.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Equal but for the case of ASCII letters.
bool iequals(std::string_view a, std::string_view b);

void lower_in_place(char* data, std::size_t size);

// Without the spaces and tabs at both ends (OWS).
constexpr std::string_view trim_ows(std::string_view text) {
  const auto is_ows = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_ows(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_ows(text.back())) text.remove_suffix(1);
  return text;
}

bool is_token_char(char c);

// One or more token characters (RFC 9110 section 5.6.2).
bool is_token(std::string_view text);

// What may stand in a field value: HTAB, SP, visible ASCII and bytes above 0x7F (RFC 9110 section
// 5.5). So no NUL, CR, LF or other control. Empty is fine.
bool is_field_value(std::string_view text);

// Whether the comma-separated list `field_value` has the member `token`, whatever its case (RFC
// 9110 section 5.6.1; empty members do not count).
bool has_list_token(std::string_view field_value, std::string_view token);

}  // namespace httpuv::base
