#include "server/http/http_session.h"

#include "server/connection/connection.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/responders/stream_responder.h"

namespace httpuv::server {

HttpSession::HttpSession(Context& context, Connection& connection)
    : context_(context),
      connection_(connection),
      wire_(&context.limits.request, context.limits.max_pipelined, &context.heads),
      deadlines_(*this),
      requests_(*this),
      answers_(*this),
      application_(*this),
      upgrade_(*this) {}

HttpSession::~HttpSession() = default;

void HttpSession::start() {
  connection_.stream().charge_to(context_.budget, Budget::kind_of(Held::kAnswers));
  deadlines_.start();
  connection_.stream().start_reading();
}

void HttpSession::on_data(std::string_view bytes) {
  if (wire_.state() == http::WireState::kLingering) return deadlines_.lingers_on();
  if (wire_.parses()) requests_.take(bytes);
}

void HttpSession::on_eof() {
  wire_.half_close();
  if (!wire_.answers()) return end_if_written();
  if (requests_.may_read() && wire_.incoming().kept().empty()) end_of_input();
  if (wire_.answers()) deadlines_.update();
}

void HttpSession::end_of_input() {
  if (wire_.incoming().side().reading()) return refuse(400, "the client ended in the middle of it");
  if (wire_.exchanges().empty()) finish(false);
}

void HttpSession::on_drained() {
  if (!wire_.answers()) return end_if_written();
  if (!wire_.exchanges().empty() && wire_.exchanges().front().answer.streamed()) {
    StreamResponder(*this).drained(wire_.exchanges().front());
  }
  deadlines_.update();
  requests_.resume();
}

void HttpSession::on_deadline() {
  deadlines_.expired();
}

void HttpSession::on_gone() {
  upgrade_.forget();
  abandon_all();
  wire_.end();
}

void HttpSession::drain() {
  if (upgrade_.waits()) return upgrade_.give_up();
  const http::Incoming& incoming = wire_.incoming();
  const bool busy = !wire_.exchanges().empty() || incoming.side().reading() || !incoming.idle();
  if (wire_.answers() && !busy) deadlines_.drain();
}

ConnectionState HttpSession::state() const {
  if (connection_.stream().busy()) return ConnectionState::kWriting;
  if (!wire_.answers()) return ConnectionState::kClosing;
  if (wire_.incoming().side().reading() || wire_.incoming().in_head()) {
    return ConnectionState::kReading;
  }
  return wire_.exchanges().empty() ? ConnectionState::kIdle : ConnectionState::kWaiting;
}

std::optional<std::int64_t> HttpSession::idle_since() const {
  if (!wire_.idle() || connection_.stream().busy()) return {};
  return deadlines_.idle_since();
}

// --- ending -------------------------------------------------------------------------------------

void HttpSession::refuse(int status, std::string_view reason) {
  context_.counters.refused.add();
  context_.refusals.tell(context_, connection_, status, reason);
  requests_.drop();
  const Wire::Refused refused = wire_.refuse();
  switch (refused.way) {
    case http::Refusing::kAnswer:
      break;
    case http::Refusing::kCut:
      return connection_.reset();
    case http::Refusing::kFinish:
      return finish(true);
    case http::Refusing::kNothing:
      return;
  }
  Exchange& exchange = *refused.exchange;
  if (refused.opened) {
    begin_observing(context_, exchange, wire_.incoming().read_line(), deadlines_.since_head());
  }
  application_.release(exchange, true);
  exchange.parked.reset();
  exchange.answer.on(http::AnswerEvent::kWithdraw);
  answers_.plain(exchange, status);
}

void HttpSession::finish(bool linger) {
  if (!wire_.answers()) return;
  abandon_all();
  wire_.finish(linger);
  deadlines_.finish();
  end_if_written();
}

void HttpSession::end_if_written() {
  context_.outbox.flush(connection_);
  if (connection_.closing() || connection_.stream().busy()) return;
  if (wire_.state() != http::WireState::kLingering) return connection_.close();
  connection_.stream().shutdown();
  connection_.stream().start_reading();
  deadlines_.linger();
}

void HttpSession::abandon_all() {
  wire_.exchanges().each([this](Exchange& exchange) {
    context_.guarded([&] {
      application_.release(exchange, true);
      end_observing(context_, connection_, exchange);
    });
  });
  requests_.drop();
}

}  // namespace httpuv::server
