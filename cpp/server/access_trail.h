// What the access log is to say about the requests of one connection, in the order in which their
// answers leave. A record goes to the application as an event; with more of these untold than
// kMostUntold the next ones are only counted: an application that is stuck grows no memory.
//
// Loop thread only; a member of an HttpSession whose server keeps an access log. Never fails.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "http/request.h"
#include "server/context.h"

namespace httpuv::server {

class Connection;

class AccessTrail {
 public:
  AccessTrail(Context& context, Connection& connection)
      : context_(context), connection_(connection) {}

  // A request begins; null: its head could not be read.
  void opened(const http::RequestHead* head);

  // The answer to the oldest one: its head leaves, then more of its body, then it is over.
  void answered(int status, std::uint64_t bytes);
  void sent(std::uint64_t bytes);
  void closed();
  // The connection ends: no more is sent to any.
  void ended();

 private:
  Context& context_;
  Connection& connection_;
  std::vector<std::unique_ptr<AccessRecord>> open_;
};

}  // namespace httpuv::server
