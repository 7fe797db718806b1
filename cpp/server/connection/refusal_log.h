// The reasons of refused requests, handshakes and messages, for the log (level DEBUG) and the
// metrics. The number of log messages per second is bounded, so that a flood of malformed requests
// costs the application nothing. The metrics count all, by status and reason.
//
// Loop thread only; a part of Context. Never fails.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::net {
struct Peer;
}

namespace httpuv::server {

class Connection;
struct Context;

class RefusalLog {
 public:
  // `reason`: one of a few fixed texts. `status`: of the answer, or the code of a Close.
  void tell(Context& context, Connection& connection, int status, std::string_view reason,
            std::string_view what = "a request");
  // `what` of that peer was refused.
  void tell(Context& context, const net::Peer& peer, std::string_view what,
            std::string_view reason);

 private:
  void tell(Context& context, const net::Peer& peer, std::string_view what, std::string_view reason,
            std::string_view between);

  std::int64_t second_ = 0;
  int told_ = 0;  // in that second
};

}  // namespace httpuv::server
