// Request ids for logs: the X-Request-ID of a trusted proxy, or a new id, which replaces the field
// of other clients.
//
// Loop thread only; a part of Context. Never fails.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message/request.h"

namespace httpuv::server {

class RequestIds {
 public:
  RequestIds();

  void identify(http::RequestHead& head, bool trusted);

 private:
  std::uint64_t start_;  // random: two servers do not give the same names
  std::uint64_t state_;
};

// The trace-id of a traceparent (W3C Trace Context), or "".
std::string_view trace_id_of(std::string_view traceparent);

}  // namespace httpuv::server
