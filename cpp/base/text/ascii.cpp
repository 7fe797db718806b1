#include "base/text/ascii.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace httpuv::base {
namespace {

constexpr auto kTokenChars = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 128; ++c) {
    const char ch = static_cast<char>(c);
    table[c] = is_alpha(ch) || is_digit(ch);
  }
  for (const char c : std::string_view("!#$%&'*+-.^_`|~"))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

constexpr std::uint64_t every_byte(std::uint8_t value) {
  return 0x0101010101010101U * value;
}

// Eight bytes at once: sets bit 5 of each byte that is an upper-case letter. With the top bit of
// every byte cleared, adding a constant carries into that bit exactly where the byte reaches it.
constexpr std::uint64_t lower_eight(std::uint64_t bytes) {
  const std::uint64_t low_bits = bytes & every_byte(0x7F);
  const std::uint64_t from_a = low_bits + every_byte(0x80 - 'A');
  const std::uint64_t past_z = low_bits + every_byte(0x80 - 'Z' - 1);
  const std::uint64_t upper = (from_a ^ past_z) & ~bytes & every_byte(0x80);
  return bytes | (upper >> 2);
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  std::size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) {
    std::uint64_t left;
    std::uint64_t right;
    std::memcpy(&left, a.data() + i, 8);
    std::memcpy(&right, b.data() + i, 8);
    if (left != right && lower_eight(left) != lower_eight(right)) return false;
  }
  for (; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

void lower_in_place(char* data, std::size_t size) {
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, data + i, 8);
    bytes = lower_eight(bytes);
    std::memcpy(data + i, &bytes, 8);
  }
  for (; i < size; ++i) data[i] = to_lower(data[i]);
}

bool is_token_char(char c) {
  return kTokenChars[static_cast<unsigned char>(c)];
}

bool is_token(std::string_view text) {
  bool good = !text.empty();
  for (const char c : text) good &= is_token_char(c);
  return good;
}

bool is_field_value(std::string_view text) {
  bool bad = false;  // no early exit: so the compiler makes it wide
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    bad |= (byte < 0x20 && byte != '\t') || byte == 0x7F;
  }
  return !bad;
}

bool has_list_token(std::string_view field_value, std::string_view token) {
  while (true) {
    const std::size_t comma = field_value.find(',');
    if (iequals(trim_ows(field_value.substr(0, comma)), token)) return !token.empty();
    if (comma == std::string_view::npos) return false;
    field_value.remove_prefix(comma + 1);
  }
}

}  // namespace httpuv::base
