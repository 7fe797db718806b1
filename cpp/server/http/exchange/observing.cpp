#include "server/http/exchange/observing.h"

#include <chrono>
#include <memory>

#include "server/connection/connection.h"
#include "server/http/exchange/proxies.h"

namespace httpuv::server {

void begin_observing(Context& context, Exchange& exchange, std::string_view first_line,
                     std::int64_t waited_ms) {
  exchange.observed.begun = context.clock.steady() - std::chrono::milliseconds(waited_ms);
  if (!context.observes_text) return;
  exchange.observed.text = std::make_unique<RequestText>();
  exchange.observed.text->line = first_line;
}

void observe_head(Exchange& exchange, const http::RequestHead& head) {
  RequestText* const text = exchange.observed.text.get();
  if (text == nullptr) return;
  text->referer = head.get(http::Field::kReferer);
  text->user_agent = head.get(http::Field::kUserAgent);
  text->host = head.get(http::Field::kHost);
  text->request_id = head.get(http::Field::kXRequestId);
  text->trace_id = trace_id_of(head.get(http::Field::kTraceparent));
}

void end_observing(Context& context, Connection& connection, Exchange& exchange) {
  exchange.observed.took = context.clock.steady() - exchange.observed.begun;
  for (ExchangeObserver* const each : context.observers) {
    each->exchange_ended(exchange.observed, client_of(connection, exchange));
  }
}

}  // namespace httpuv::server
