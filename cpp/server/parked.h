// What an HTTP session keeps of an exchange that cannot be answered yet: a static request until its
// file is resolved, an answer until those before it have left. Loop thread only.
#pragma once

#include <optional>

#include "files/resolution.h"
#include "http/request.h"
#include "http/response.h"
#include "server/http_session.h"
#include "server/message.h"

namespace httpuv::server {

struct HttpSession::Parked {
  http::RequestHead request;  // static only
  RequestBody request_body;   // static only, where the application may still get it
  std::optional<files::Resolution> resolution;
  std::optional<http::ResponseHead> head;
  ResponseBody body;
};

}  // namespace httpuv::server
