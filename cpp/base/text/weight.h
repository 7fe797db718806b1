// Lists of things with weights: Accept, Accept-Encoding (RFC 9110 section 12.4.2).
//
// Pure functions, any thread.
#pragma once

#include <string_view>

namespace httpuv::base {

inline constexpr int kNoWeight = -1;
inline constexpr int kFullWeight = 1000;

// One item of such a list, "name;parameters;q=weight".
struct Weighted {
  std::string_view name;   // without white space around it and without parameters
  int weight = kNoWeight;  // thousandths; kNoWeight when what is there is no weight
  bool plain = true;       // it has no parameter but a weight
};

// Takes the next item off the list, which must not be empty.
Weighted next_weighted(std::string_view& list);

}  // namespace httpuv::base
