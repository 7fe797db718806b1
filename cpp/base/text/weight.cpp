#include "base/text/weight.h"

#include <algorithm>

#include "base/text/ascii.h"

namespace httpuv::base {
namespace {

// Takes what comes before the first `separator` off the text, and the separator.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trim_ows(taken);
}

int parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return kNoWeight;
  int weight = (text[0] - '0') * kFullWeight;
  if (text.size() == 1) return weight;
  if (text[1] != '.') return kNoWeight;
  int unit = kFullWeight / 10;
  for (const char c : text.substr(2)) {
    if (!is_digit(c)) return kNoWeight;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= kFullWeight ? weight : kNoWeight;
}

}  // namespace

Weighted next_weighted(std::string_view& list) {
  std::string_view item = take_until(list, ',');
  bool more = item.find(';') != std::string_view::npos;
  Weighted result{take_until(item, ';'), kFullWeight, true};
  while (more) {
    more = item.find(';') != std::string_view::npos;
    const std::string_view parameter = take_until(item, ';');
    const bool is_weight =
        parameter.size() >= 2 && to_lower(parameter[0]) == 'q' && parameter[1] == '=';
    if (is_weight) {
      result.weight = parse_weight(parameter.substr(2));
    } else {
      result.plain = false;
    }
  }
  return result;
}

}  // namespace httpuv::base
