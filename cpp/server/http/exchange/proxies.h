// The client that a trusted proxy names; applied before anything else is decided about a request.
//
// Loop thread only; plain functions.
#pragma once

#include "server/http/exchange/exchange.h"

namespace httpuv::net {
struct Peer;
}

namespace httpuv::server {

class Connection;
class HttpSession;

// Host, scheme and address of the request being read become those that a trusted proxy tells.
void believe_proxy(HttpSession& http, Exchange& exchange);

// The peer of the connection, or the client that a proxy has named.
const net::Peer& client_of(Connection& connection, const Exchange& exchange);

}  // namespace httpuv::server
