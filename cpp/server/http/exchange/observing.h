// Collects the facts about an exchange for its observers, and hands them over when it is over.
//
// Loop thread only; plain functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message/request.h"
#include "server/http/exchange/exchange.h"

namespace httpuv::server {

class Connection;
struct Context;

// `first_line`: of its head, as far as that could be parsed. `waited_ms`: since its first byte.
void begin_observing(Context& context, Exchange& exchange, std::string_view first_line,
                     std::int64_t waited_ms);
// What a log tells of its head.
void observe_head(Exchange& exchange, const http::RequestHead& head);
inline void note_answer(Exchange& exchange, int status, std::uint64_t bytes) {
  exchange.observed.status = status;
  exchange.observed.bytes += bytes;
}
void end_observing(Context& context, Connection& connection, Exchange& exchange);

}  // namespace httpuv::server
