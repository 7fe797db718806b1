// Whether the server codes an answer of the application: gzip for clients that accept it, if it is
// likely to pay and the application has not coded the content itself.
//
// Loop thread only; plain functions. Never fails.
#pragma once

#include <cstdint>
#include <optional>

#include "http/message/request.h"
#include "http/message/response.h"
#include "server/http/exchange/exchange.h"

namespace httpuv::server {

// Notes what the request says about it, while its head is here. `gzip`: the setting.
void negotiate_coding(Exchange& exchange, const http::RequestHead& head, bool gzip);

// Whether the body of this answer is coded. Adds Vary to its head if the decision depends on the
// request. `length`: of the body, if it is known.
bool is_coded(const Exchange& exchange, http::ResponseHead& head,
              std::optional<std::uint64_t> length);

}  // namespace httpuv::server
