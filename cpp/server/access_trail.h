// What the access log is to say about the requests of one connection, in the order in which their
// answers leave. Loop thread only; a member of an HttpSession whose server keeps an access log.
// Never fails.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "http/request.h"
#include "server/access_record.h"
#include "server/context.h"

namespace httpuv::server {

class Connection;

class AccessTrail {
 public:
  AccessTrail(Context& context, Connection& connection)
      : context_(context), connection_(connection) {}

  // A request begins, or one that could not be read and was waited for for so long.
  void opened(const http::RequestHead& head);
  void opened(std::string_view first_line, std::int64_t waited_ms);

  // The answer to the oldest one: its head leaves, then more of its body, then it is over.
  void answered(int status, std::uint64_t bytes);
  void sent(std::uint64_t bytes);
  void closed();
  // The connection ends: no more is sent to any.
  void ended();

 private:
  Context& context_;
  Connection& connection_;
  std::vector<AccessRecord> open_;
};

}  // namespace httpuv::server
