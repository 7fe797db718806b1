// Why requests were refused, for the log at its most detailed level. At most some a second are
// told, so that a flood of nonsense costs the application nothing; the counter `refused` knows them
// all.
//
// Loop thread only; a part of Context. Never fails.
#pragma once

#include <cstdint>
#include <string_view>

namespace httpuv::net {
class Transport;
}

namespace httpuv::server {

struct Context;

class RefusalLog {
 public:
  void tell(Context& context, net::Transport& stream, int status, std::string_view reason);

 private:
  std::int64_t second_ = 0;
  int told_ = 0;  // in that second
};

}  // namespace httpuv::server
