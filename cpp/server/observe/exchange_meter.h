// Counts each exchange when it is over.
//
// Loop thread only; owned by what owns the Context. Never fails.
#pragma once

#include "server/observe/metrics.h"
#include "server/observe/observer.h"

namespace httpuv::server {

class ExchangeMeter final : public ExchangeObserver {
 public:
  explicit ExchangeMeter(Metrics& metrics) : metrics_(metrics) {}

  void exchange_ended(Observed& exchange, const net::Peer&) override {
    const std::chrono::nanoseconds took = exchange.took;
    metrics_.count_answer(exchange.method, exchange.by, exchange.status,
                          static_cast<std::uint64_t>(took.count()));
  }

 private:
  Metrics& metrics_;
};

}  // namespace httpuv::server
