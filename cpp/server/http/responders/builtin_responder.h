// Requests that the server answers by itself: see builtin.h.
//
// Loop thread only; a plain function.
#pragma once

#include "server/http/exchange/exchange.h"

namespace httpuv::server {

class HttpSession;

// Answers the request being read if it is for a builtin path; all others are refused on a listener
// of the operator. False: it is for others.
bool answer_builtin(HttpSession& http, Exchange& exchange);

}  // namespace httpuv::server
