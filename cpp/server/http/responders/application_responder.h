// Requests that the application answers: they are handed over as events, and its commands answer
// them.
//
// Loop thread only; a part of HttpSession. Commands for an exchange that is over do nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "http/message/request.h"
#include "http/message/response.h"
#include "server/http/exchange/exchange.h"
#include "server/message/envelope.h"

namespace httpuv::server {

class HttpSession;

class ApplicationResponder {
 public:
  explicit ApplicationResponder(HttpSession& http) : http_(http) {}

  // Hands the request over. `headers_only`: it is asked to answer or to say Continue.
  void ask(Exchange& exchange, http::RequestHead&& head, RequestBody&& body, bool headers_only);
  // An envelope with the facts about the exchange, without the request.
  [[nodiscard]] EnvelopePtr envelope_for(Exchange& exchange);
  // The application answers the exchange from now on.
  void wait_for(Exchange& exchange);
  // The server, or Python, has too much to do for the request: 503, or 413.
  void overloaded(Exchange& exchange, int status);
  // The application has finished the exchange; with `abandon` it gets an AbandonedEvent.
  void release(Exchange& exchange, bool abandon);
  // The same; what the application holds still counts against the budget.
  void release_keeping_head(Exchange& exchange);
  // The application has one exchange less.
  void uncount();

  // The exchanges that the application has.
  [[nodiscard]] std::size_t pending() const { return pending_; }

  // Its commands.
  void respond(std::uint32_t sequence, http::ResponseHead&& head, ResponseBody&& body);
  void go_on(std::uint32_t sequence);
  void inform(std::uint32_t sequence, const http::ResponseHead& head);
  void cut(std::uint32_t sequence);
  [[nodiscard]] bool present(std::uint32_t sequence);

 private:
  HttpSession& http_;
  std::size_t pending_ = 0;
};

}  // namespace httpuv::server
