// Observers of exchanges, called when an exchange is over: the access log, and the metrics.
//
// Loop thread only. An observer is registered in Context::observers before the first connection and
// outlives the last. The facts for observers are collected in a field of the exchange.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "net/listen/address.h"
#include "server/observe/metrics.h"

namespace httpuv::server {

// Facts for logs only; created if there is a log.
struct RequestText {
  std::string line;  // the first line of the request, as far as it could be parsed
  std::string referer;
  std::string user_agent;
  std::string host;
  std::string request_id;
  std::string trace_id;
};

struct Observed {
  std::chrono::steady_clock::time_point begun{};
  std::chrono::steady_clock::duration took{};  // when it is over
  std::uint64_t bytes = 0;  // of content, handed to the system or still waiting for it
  int status = 0;           // 0: the connection ended before an answer
  Method method = Method::kOther;
  AnsweredBy by = AnsweredBy::kServer;
  bool https = false;  // as the client sees it
  std::unique_ptr<RequestText> text;
  std::unique_ptr<net::Peer> client;  // that a proxy named; null: the peer of the connection
};

class ExchangeObserver {
 public:
  virtual void exchange_ended(Observed& exchange, const net::Peer& peer) = 0;

 protected:
  virtual ~ExchangeObserver() = default;
};

}  // namespace httpuv::server
