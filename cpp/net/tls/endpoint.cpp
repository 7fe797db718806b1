#include "net/tls/endpoint.h"

#include <utility>
#include <vector>

namespace httpuv::net::tls {

// What a look in a disk's lane has found.
struct Endpoint::Findings {
  std::vector<std::string> renewed;
  std::vector<Fault> faults;
};

Endpoint::Endpoint(Reactor& reactor, std::shared_ptr<const Hosts> hosts,
                   std::int64_t handshake_timeout_ms, Observer& observer, base::Ledger& ledger,
                   base::Ledger::Kind kind)
    : reactor_(reactor),
      hosts_(std::move(hosts)),
      handshake_timeout_ms_(handshake_timeout_ms),
      observer_(observer),
      ledger_(ledger),
      kind_(kind),
      opened_(std::make_unique_for_overwrite<char[]>(kPiece)),
      gathered_(std::make_unique_for_overwrite<char[]>(kPiece)),
      looked_ms_(reactor.now_ms()) {}

void Endpoint::look() {
  if (looking_ || reactor_.now_ms() - looked_ms_ < kLookMs) return;
  looking_ = true;
  const auto found = std::make_shared<Findings>();
  reactor_.work_on_disk(
      0,
      [found, hosts = hosts_] {
        for (const std::shared_ptr<Identity>& identity : hosts->all()) {
          Fault fault;
          switch (identity->refresh(&fault)) {
            case Identity::Outcome::kUnchanged:
              break;
            case Identity::Outcome::kReloaded:
              found->renewed.push_back(identity->settings().certificate_file);
              break;
            case Identity::Outcome::kFailed:
              found->faults.push_back(std::move(fault));
          }
        }
      },
      [this, found](bool) {
        looking_ = false;
        looked_ms_ = reactor_.now_ms();
        for (const std::string& file : found->renewed) observer_.certificate_renewed(file);
        for (const Fault& fault : found->faults) observer_.certificate_failed(fault);
      });
}

}  // namespace httpuv::net::tls
