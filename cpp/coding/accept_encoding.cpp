#include "coding/accept_encoding.h"

#include <algorithm>
#include <cstddef>

#include "base/text/ascii.h"
#include "base/text/weight.h"

namespace httpuv::coding {
namespace {

struct Weights {
  std::array<int, kCodings> codings = {base::kNoWeight, base::kNoWeight, base::kNoWeight};
  int identity = base::kNoWeight;
  int others = base::kNoWeight;  // "*"

  void read(const base::Weighted& item) {
    int* const place = item.plain ? find(item.name) : nullptr;
    if (place != nullptr && item.weight != base::kNoWeight) *place = item.weight;
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
  while (!accept_encoding.empty()) weights.read(base::next_weighted(accept_encoding));
  // Every accepted coding wins against the plain file, unless the client gives "identity" a weight.
  int best = std::max(weights.identity, 1);
  std::optional<Coding> choice;
  for (std::size_t i = 0; i < kCodings; ++i) {
    const int weight = weights.codings[i] == base::kNoWeight ? weights.others : weights.codings[i];
    if (there[i] && (weight > best || (weight == best && !choice))) {
      best = weight;
      choice = static_cast<Coding>(i);
    }
  }
  return choice;
}

}  // namespace httpuv::coding
