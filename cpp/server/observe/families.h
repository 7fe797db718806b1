// The numbers of all places of a MetricsMemory, added up, with their names for Prometheus: for its
// text format and for Server.stats().
//
// Thread: any. Owner: values. Failure: std::bad_alloc.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/observe/metrics_memory.h"

namespace httpuv::server {

struct Sample {
  std::string_view suffix;  // "_bucket", "_sum", "_count", or none
  std::vector<std::pair<std::string_view, std::string>> labels;
  double value = 0;
};

struct Family {
  std::string_view name;
  std::string_view type;  // counter, gauge, histogram
  std::string_view help;
  std::vector<Sample> samples;
};

using BuildInfo = std::vector<std::pair<std::string, std::string>>;

std::vector<Family> families(const MetricsMemory& memory, const BuildInfo& build);

// In the text format 0.0.4 of Prometheus, with base units.
std::string prometheus_text(const std::vector<Family>& families);

}  // namespace httpuv::server
