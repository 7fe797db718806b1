// Checks Host, because a web page can point its own name at this machine (DNS rebinding), and the
// origin of a web page that opens a WebSocket.
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "http/message/request.h"

namespace httpuv::server {

// `allowed`: names in lower case; empty: any. "*.example.com" is every name below example.com. An
// entry with a port is for that port only; a Host field without a port means 80 or 443. IP
// addresses are always allowed: a page cannot make them resolve to another address.
bool host_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head);

// `allowed`: origins (RFC 6454) without the default port of their scheme; empty: any. "same" is the
// host that the request is for, "https://*.example.com" every name below example.com. A request
// without an origin is allowed: it comes from no browser (RFC 6455 section 10.2).
bool origin_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head);

}  // namespace httpuv::server
