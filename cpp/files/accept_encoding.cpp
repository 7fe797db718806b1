#include "files/accept_encoding.h"

#include <algorithm>
#include <cstddef>

#include "base/ascii.h"

namespace httpuv::files {
namespace {

constexpr int kUnsaid = -1;

// Thousandths, or kUnsaid when it is not a weight (RFC 9110 section 12.4.2).
int parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return kUnsaid;
  int weight = (text[0] - '0') * 1000;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return kUnsaid;
  int unit = 100;
  for (const char c : text.substr(2)) {
    if (!base::is_digit(c)) return kUnsaid;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? weight : kUnsaid;
}

struct Weights {
  std::array<int, kCodings> codings = {kUnsaid, kUnsaid, kUnsaid};
  int identity = kUnsaid;
  int others = kUnsaid;  // "*"

  void read(std::string_view item) {
    const std::size_t semicolon = item.find(';');
    const std::string_view name = base::trim_ows(item.substr(0, semicolon));
    int weight = 1000;
    if (semicolon != std::string_view::npos) {
      std::string_view parameter = base::trim_ows(item.substr(semicolon + 1));
      if (parameter.size() < 2 || base::to_lower(parameter[0]) != 'q' || parameter[1] != '=')
        return;
      weight = parse_weight(parameter.substr(2));
      if (weight == kUnsaid) return;
    }
    if (int* const place = find(name)) *place = weight;
  }

  int* find(std::string_view name) {
    if (name == "*") return &others;
    if (base::iequals(name, "identity")) return &identity;
    if (base::iequals(name, "x-gzip")) name = "gzip";  // RFC 9110 section 8.4.1.3
    for (std::size_t i = 0; i < kCodings; ++i) {
      if (base::iequals(name, coding_name(static_cast<Coding>(i)))) return &codings[i];
    }
    return nullptr;
  }
};

}  // namespace

std::optional<Coding> choose_coding(std::string_view accept_encoding,
                                    const std::array<bool, kCodings>& there) {
  Weights weights;
  while (!accept_encoding.empty()) {
    const std::size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    weights.read(accept_encoding.substr(0, comma));
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
  }
  // The file as it is loses against anything that is wanted at all, unless the client weighs it.
  int best = std::max(weights.identity, 1);
  std::optional<Coding> choice;
  for (std::size_t i = 0; i < kCodings; ++i) {
    const int weight = weights.codings[i] == kUnsaid ? weights.others : weights.codings[i];
    if (there[i] && (weight > best || (weight == best && !choice))) {
      best = weight;
      choice = static_cast<Coding>(i);
    }
  }
  return choice;
}

}  // namespace httpuv::files
