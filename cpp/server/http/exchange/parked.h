// What an exchange keeps that cannot be answered yet: a static request until its file is resolved,
// an answer until the answers before it were sent, the state of a stream.
//
// Loop thread only; owned by the exchange.
#pragma once

#include <optional>

#include "base/charge.h"
#include "files/answer/resolution.h"
#include "http/message/request.h"
#include "http/message/response.h"
#include "server/http/exchange/exchange.h"
#include "server/http/exchange/streamed.h"
#include "server/message/envelope.h"

namespace httpuv::server {

struct Parked {
  http::RequestHead request{};  // static only
  RequestBody request_body{};   // static only, where the application may still get it
  std::optional<files::Resolution> resolution{};
  std::optional<http::ResponseHead> head{};
  ResponseBody body{};
  base::Charge charge{};  // for the answer
  std::optional<Streamed> stream{};
};

// Whether topics make the pieces of its answer.
inline bool is_fed(const Exchange& exchange) {
  return exchange.parked != nullptr && exchange.parked->stream &&
         exchange.parked->stream->feed != nullptr;
}

}  // namespace httpuv::server
