// Whether a request is meant for this server, by the name it was addressed to: a web page can point
// a name of its own at this machine (DNS rebinding), but it cannot take ours.
//
// Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "http/request.h"

namespace httpuv::server {

// `allowed`: names in lower case, without port; empty: any. IP addresses need not be among them:
// nobody can point those elsewhere.
bool host_allowed(const std::vector<std::string>& allowed, const http::RequestHead& head);

}  // namespace httpuv::server
