// Finds idle connections, the longest idle first, to close them for new ones
// (Limits::max_connections).
//
// Becoming idle or busy costs a connection nothing: idle connections are searched when they are
// needed, many at a time. Loop thread only; a member of the running server. Never fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/connection/context.h"

namespace httpuv::server {

class IdleConnections {
 public:
  explicit IdleConnections(Context& context) : context_(context) {}

  // Whether a connection is idle now.
  bool any();
  // Closes the connection that has been idle longest; false: there is none.
  bool close_oldest();

 private:
  struct Candidate {
    std::int64_t since;
    ConnectionId id;
  };

  Connection* oldest();
  Connection* next_candidate();
  void look();

  Context& context_;
  std::vector<Candidate> found_;  // at the last look; the oldest at the end
};

}  // namespace httpuv::server
