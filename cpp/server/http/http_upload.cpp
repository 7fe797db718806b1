// Bodies that the application reads while they arrive: unused bytes are bounded; beyond that the
// socket is not read.
#include <algorithm>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"

namespace httpuv::server {

// Hands on what has come of the body being read. Pieces of one turn are one event.
void HttpSession::pass_on(std::string_view bytes, bool last) {
  Exchange* const exchange = wire_.current();
  if (exchange == nullptr) return;
  const ExchangeId id{connection_.id(), exchange->sequence};
  BodyEvent* event =
      context_.events.empty() ? nullptr : std::get_if<BodyEvent>(&context_.events.back());
  if (event == nullptr || event->id != id) {
    event = &std::get<BodyEvent>(context_.events.emplace_back(BodyEvent{id, {}, false}));
  }
  event->bytes.append(bytes);
  event->last = last;
  exchange->body.grow(bytes.size());
  body_paused_ =
      !last && exchange->body.bytes() > 0 &&
      (exchange->body.bytes() >= context_.limits.body_memory_bytes || context_.budget.full());
}

void HttpSession::body_consumed(std::uint32_t sequence, std::size_t bytes) {
  Exchange* const exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  exchange->body.resize(exchange->body.bytes() -
                        std::min<std::uint64_t>(bytes, exchange->body.bytes()));
  if (!body_paused_ || !wire_.is_current(*exchange)) return;
  // Not at once when one piece fits again, or reading would stop after each.
  const std::uint64_t low = context_.budget.full() ? 0 : context_.limits.body_memory_bytes / 2;
  if (exchange->body.bytes() > low) return;
  body_paused_ = false;
  resume_reading();
}

// The exchange is answered: the rest of its request is dropped.
void HttpSession::not_wanted(Exchange& exchange) {
  if (!wire_.incoming().side().reading() || !wire_.is_current(exchange)) return;
  // Refused on its head alone: the client is asked to close (manual page startServer, onHeaders).
  if (wire_.incoming().side().held() && abilities_of(exchange).on_headers) {
    exchange.keep_alive = false;
  }
  wire_.incoming().on(http::RequestEvent::kDrop);
  body_paused_ = false;
}

}  // namespace httpuv::server
