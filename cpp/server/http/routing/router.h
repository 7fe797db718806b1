// Decides what answers a request: a refusal, a builtin path, a WebSocket handshake, a static path
// or the application.
//
// Loop thread only; a plain function.
#pragma once

#include "server/http/exchange/exchange.h"

namespace httpuv::server {

class HttpSession;

// For the request being read. Its head has just come.
void route(HttpSession& http, Exchange& exchange);

}  // namespace httpuv::server
