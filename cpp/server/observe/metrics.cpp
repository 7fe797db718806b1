#include "server/observe/metrics.h"

#include <algorithm>
#include <chrono>

namespace httpuv::server {

Method method_of(std::string_view name) {
  for (std::size_t i = 1; i < kMethodNames.size(); ++i) {
    if (kMethodNames[i] == name) return static_cast<Method>(i);
  }
  return Method::kOther;
}

std::size_t DurationHistogram::slot_of(std::uint64_t nanoseconds) {
  // In nanoseconds: a request is counted twice, and a division of doubles is not free.
  static constexpr auto kLimits = [] {
    std::array<std::uint64_t, kBounds.size()> limits{};
    for (std::size_t i = 0; i < limits.size(); ++i) {
      limits[i] = static_cast<std::uint64_t>(kBounds[i] * 1e9 + 0.5);
    }
    return limits;
  }();
  std::size_t slot = 0;
  while (slot < kLimits.size() && nanoseconds > kLimits[slot]) ++slot;
  return slot;
}

void RefusalTable::count(int status, std::string_view reason) {
  const std::size_t size = size_.load(std::memory_order_relaxed);
  const std::size_t most = entries_.front().reason.size() - 1;
  std::string_view words = reason.substr(0, most);
  for (std::size_t i = 0; i < size; ++i) {
    Entry& entry = entries_[i];
    if (entry.status.load(std::memory_order_relaxed) == status &&
        words == std::string_view(entry.reason.data())) {
      return entry.count.add();
    }
  }
  if (size == kMost) return entries_.back().count.add();
  if (size == kMost - 1) {
    status = 0;
    words = "other";
  }
  Entry& entry = entries_[size];
  std::copy(words.begin(), words.end(), entry.reason.begin());
  entry.reason[words.size()] = '\0';
  entry.status.store(status, std::memory_order_relaxed);
  entry.count.add();
  size_.store(size + 1, std::memory_order_release);
}

std::uint64_t steady_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

// What is told of the oldest counts until that is begun; what waits behind it is younger.
double oldest_seconds(const Metrics& metrics, std::uint64_t now_ns) {
  const Gauges& gauges = metrics.gauges;
  const std::uint64_t begun = gauges.begun.load();
  if (gauges.handed.load() <= begun || gauges.oldest.load() < begun) return 0;
  const std::uint64_t since = gauges.oldest_ns.load();
  return now_ns > since ? static_cast<double>(now_ns - since) / 1e9 : 0;
}

double stuck_seconds(const CallbackMeter& python, const Metrics& loop, std::uint64_t now_ns) {
  const std::uint64_t threads = python.threads.load();
  const std::uint64_t progress = python.progress_ns.load();
  const double still = now_ns > progress ? static_cast<double>(now_ns - progress) / 1e9 : 0;
  if (threads > 0 && python.running.get() >= threads) return still;
  return std::min(still, oldest_seconds(loop, now_ns));
}

}  // namespace httpuv::server
