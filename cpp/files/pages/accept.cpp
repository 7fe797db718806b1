#include "files/pages/accept.h"

#include <algorithm>

#include "base/text/ascii.h"
#include "base/text/weight.h"

namespace httpuv::files {
namespace {

// The weight of a type by its own name, in thousandths; 0 where it is not named.
int weight_of(std::string_view accept, std::string_view type) {
  int weight = 0;
  while (!accept.empty()) {
    const base::Weighted item = base::next_weighted(accept);
    if (base::iequals(item.name, type)) weight = std::max(weight, item.weight);
  }
  return weight;
}

}  // namespace

bool wants_html(std::string_view accept) {
  return weight_of(accept, "text/html") > 0;
}

bool wants_json(std::string_view accept) {
  const int weight = weight_of(accept, "application/json");
  return weight > 0 && weight > weight_of(accept, "text/html");
}

}  // namespace httpuv::files
