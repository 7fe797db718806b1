// Who is told of every exchange when it is over: the access log, and what else keeps count.
//
// Loop thread only. An observer is registered in Context::observers before the first connection and
// outlives the last. What it is told is collected in a field of the exchange, if there is one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "net/listen/address.h"

namespace httpuv::server {

struct Observed {
  std::string request;  // its first line, as far as it made sense
  std::string referer;
  std::string user_agent;
  int status = 0;           // 0: the connection ended before an answer
  std::uint64_t bytes = 0;  // of content, handed to the system or still waiting for it
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();
};

class ExchangeObserver {
 public:
  virtual void exchange_ended(Observed& exchange, const net::Peer& peer) = 0;

 protected:
  virtual ~ExchangeObserver() = default;
};

}  // namespace httpuv::server
