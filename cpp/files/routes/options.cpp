#include "files/routes/options.h"

#include <array>

#include "base/text/ascii.h"

namespace httpuv::files {

std::string header_error(std::string_view name, std::string_view value) {
  constexpr std::array<std::string_view, 8> kOurs = {
      "connection", "content-length", "content-range", "keep-alive",
      "te",         "trailer",        "upgrade",       "transfer-encoding",
  };
  if (!base::is_token(name)) return "is not a header name";
  for (const std::string_view ours : kOurs) {
    if (base::iequals(name, ours)) return "is set by the server for each answer";
  }
  if (!base::is_field_value(value)) return "has a control character in its value";
  return "";
}

bool validation_passes(const Options& options, std::string_view header_value) {
  if (!options.validation) return true;
  const std::string& secret = options.validation->value;
  // Always as many steps as the client's value is long, whatever it has in common with the secret.
  unsigned difference = header_value.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < header_value.size(); ++i) {
    const char other = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(header_value[i] ^ other);
  }
  return difference == 0;
}

}  // namespace httpuv::files
