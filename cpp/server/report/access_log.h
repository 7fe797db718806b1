// Makes a record of each exchange for the application's log; the records of one turn are handed
// over together (Context::answered).
//
// Loop thread only; owned by what owns the Context. Never fails.
#pragma once

#include "server/connection/context.h"
#include "server/observe/observer.h"

namespace httpuv::server {

class AccessLog final : public ExchangeObserver {
 public:
  // Observes the exchanges of `context` if its settings ask for that.
  explicit AccessLog(Context& context);

  void exchange_ended(Observed& exchange, const net::Peer& peer) override;

 private:
  Context& context_;
};

}  // namespace httpuv::server
