// Why requests, handshakes and messages were refused, for the log at its most detailed level and
// for the metrics. At most some a second are logged, so that a flood of nonsense costs the
// application nothing; the metrics count them all, by status and reason.
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
