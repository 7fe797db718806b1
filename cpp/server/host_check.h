// Whether a request is meant for this server, by the name it was addressed to: a web page can point
// a name of its own at this machine (DNS rebinding), but it cannot take ours. And whether a web
// page may open a WebSocket, by the origin that its browser names.
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "http/request.h"

namespace httpuv::server {

// `allowed`: names in lower case; empty: any. "*.example.com" is every name below example.com. An
// entry with a port is for that port only; 80 and 443 are what a Host field without a port may
// mean. IP addresses need not be among them: a page cannot make those resolve to another address.
bool host_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head);

// `allowed`: origins (RFC 6454) without the default port of their scheme; empty: any. "same" is the
// host that the request is for, "https://*.example.com" every name below example.com. A request
// without an origin is allowed: it comes from no browser (RFC 6455 section 10.2).
bool origin_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head);

}  // namespace httpuv::server
