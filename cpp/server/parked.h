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

// An answer whose body comes in pieces. What came before its turn is kept as it is.
struct HttpSession::Streamed {
  http::ResponseHead head;
  std::optional<std::uint64_t> length;
  http::Framing framing = http::Framing::kNoBody;
  bool bodiless = false;
  std::uint64_t total = 0;         // bytes of body handed to the stream
  std::uint64_t acknowledged = 0;  // bytes whose acknowledgement was asked for; 0: none is due
  std::string early;               // pieces from before its turn
  bool early_acknowledge = false;
  bool started = false;
  bool ended = false;
};

struct HttpSession::Parked {
  http::RequestHead request;  // static only
  RequestBody request_body;   // static only, where the application may still get it
  std::optional<files::Resolution> resolution;
  std::optional<http::ResponseHead> head;
  ResponseBody body;
  std::optional<Streamed> stream;
};

}  // namespace httpuv::server
