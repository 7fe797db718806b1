// What an exchange keeps that cannot be answered yet. One of three: a static request until its file
// was resolved and the answers before it were sent, an answer until those were sent, or the state
// of a stream.
//
// Loop thread only; owned by the exchange.
#pragma once

#include <memory>
#include <optional>
#include <variant>

#include "base/charge.h"
#include "files/answer/resolution.h"
#include "http/message/request.h"
#include "http/message/response.h"
#include "server/http/exchange/exchange.h"
#include "server/http/exchange/streamed.h"
#include "server/message/envelope.h"

namespace httpuv::server {

struct ParkedStatic {
  http::RequestHead request{};
  RequestBody body{};  // of the request, where the application may still get it
  std::optional<files::Resolution> resolution{};
};

struct ParkedAnswer {
  http::ResponseHead head{};
  ResponseBody body{};
  base::Charge charge{};
};

struct Parked {
  std::variant<ParkedAnswer, ParkedStatic, Streamed> part{};
};

// Keeps a new `Part` for the exchange, instead of what it kept before.
template <class Part>
Part& park(Exchange& exchange) {
  if (exchange.parked == nullptr) exchange.parked = std::make_unique<Parked>();
  return exchange.parked->part.emplace<Part>();
}

// The part that is kept; null: none, or one of another kind.
template <class Part>
Part* parked(const Exchange& exchange) {
  return exchange.parked != nullptr ? std::get_if<Part>(&exchange.parked->part) : nullptr;
}

// Whether topics make the pieces of its answer.
inline bool is_fed(const Exchange& exchange) {
  const Streamed* const stream = parked<Streamed>(exchange);
  return stream != nullptr && stream->feed != nullptr;
}

}  // namespace httpuv::server
