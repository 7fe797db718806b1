// UTF-8 as defined by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
//
// Pure; a validator belongs to one stream of bytes and to its owner.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::base {

bool is_utf8(std::string_view bytes);
bool is_ascii(std::string_view bytes);

// Checks bytes in arbitrary pieces. Fails at the first byte that cannot occur there in a valid
// text, also in the middle of a character, and stays failed until reset().
class Utf8Validator {
 public:
  // False once the bytes fed so far cannot be the start of valid text.
  bool feed(std::string_view bytes);

  // Whether the text may end here: valid so far, and not in the middle of a character.
  [[nodiscard]] bool complete() const { return state_ == 0; }

  void reset() { state_ = 0; }

 private:
  std::uint8_t state_ = 0;  // 0: not in the middle of a character
};

}  // namespace httpuv::base
