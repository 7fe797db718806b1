#include "server/http/responders/application_responder.h"

#include <string>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/exchange/answer_coding.h"
#include "server/http/exchange/parked.h"
#include "server/http/exchange/proxies.h"
#include "server/http/http_session.h"

namespace httpuv::server {

namespace {

// Up to this size an answer is accepted when memory is used up: a 503 takes as much.
constexpr std::size_t kSmall = 1024;

}  // namespace

void ApplicationResponder::ask(Exchange& exchange, http::RequestHead&& head, RequestBody&& body,
                               bool headers_only) {
  Context& context = http_.context();
  const std::uint64_t cost = cost_of(head);
  if (!context.admits_request() || !context.budget.fits(cost)) return overloaded(exchange, 503);
  if (!exchange.answer.announced()) {
    negotiate_coding(exchange, head, context.settings.gzip);
    exchange.head = context.budget.charge(Held::kHeads, cost);
  }
  EnvelopePtr envelope = envelope_for(exchange);
  wait_for(exchange);
  envelope->request.take(head);
  context.envelopes.give_head(std::move(head));
  if (body.length != 0) envelope->body = std::move(body);
  envelope->headers_only = headers_only;
  context.events.emplace_back(RequestEvent{std::move(envelope)});
}

EnvelopePtr ApplicationResponder::envelope_for(Exchange& exchange) {
  Connection& connection = http_.connection();
  const net::Peer& peer = client_of(connection, exchange);
  EnvelopePtr envelope = http_.context().envelopes.take();
  envelope->id = {connection.id(), exchange.sequence};
  envelope->remote_address = peer.address;
  envelope->remote_port = peer.port;
  envelope->https = exchange.observed.https;
  envelope->client_told = exchange.observed.client != nullptr;
  envelope->tls = connection.stream().tls();
  envelope->mount = exchange.mount;
  envelope->resumed = exchange.answer.announced();
  return envelope;
}

void ApplicationResponder::wait_for(Exchange& exchange) {
  exchange.answer.on(http::AnswerEvent::kAsk);
  ++pending_;
  http_.context().counters.in_flight.add();
}

void ApplicationResponder::overloaded(Exchange& exchange, int status) {
  Context& context = http_.context();
  context.counters.overloaded.add();
  // Not logged: the line would wait in the queue that is full.
  context.metrics.refusals.count(status, context.admits_request()
                                             ? "it does not fit into what the server may hold"
                                             : "Python has too many requests already");
  if (http_.wire().is_current(exchange)) {
    http_.upgrade().expect(false);
    http_.wire().incoming().on(http::RequestEvent::kDrop);
  }
  release(exchange, true);
  http_.answers().plain(exchange, status);
}

void ApplicationResponder::release(Exchange& exchange, bool abandon) {
  const bool known = exchange.answer.with_application() || exchange.answer.announced();
  if (exchange.answer.with_application()) {
    exchange.answer.on(http::AnswerEvent::kWithdraw);
    if (!is_fed(exchange)) uncount();
  }
  if (abandon && known) {
    exchange.answer.on(http::AnswerEvent::kWithdraw);
    http_.context().events.emplace_back(AbandonedEvent{{http_.connection().id(), exchange.sequence},
                                                       exchange.head.share(),
                                                       exchange.body.share()});
  }
  exchange.head = {};
  exchange.body = {};
}

void ApplicationResponder::release_keeping_head(Exchange& exchange) {
  base::Charge kept = std::move(exchange.head);
  release(exchange, false);
  exchange.head = std::move(kept);
}

void ApplicationResponder::uncount() {
  --pending_;
  http_.context().counters.in_flight.subtract(1);
}

// --- commands -----------------------------------------------------------------------------------

void ApplicationResponder::respond(std::uint32_t sequence, http::ResponseHead&& head,
                                   ResponseBody&& body) {
  Context& context = http_.context();
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  http_.upgrade().decided(*exchange);
  exchange->observed.by = AnsweredBy::kApplication;
  if (exchange->answer.streamed()) return cut(sequence);  // two heads: the client must not get both
  release(*exchange, false);
  http_.requests().not_wanted(*exchange);
  const std::size_t size = bytes_of(body).size();
  context.answer_size.note(size);
  if (size > kSmall && context.budget.full()) {
    context.counters.overloaded.add();
    return http_.answers().plain(*exchange, 503);
  }
  http_.answers().give(*exchange, std::move(head), std::move(body));
}

// It has seen the head, and wants the rest of the request.
void ApplicationResponder::go_on(std::uint32_t sequence) {
  Wire& wire = http_.wire();
  Exchange* const exchange = wire.exchanges().find(sequence);
  if (exchange == nullptr || !wire.incoming().side().held() || !wire.is_current(*exchange)) return;
  wire.incoming().on(http::RequestEvent::kGoOn);
  RequestReader& requests = http_.requests();
  if (requests.streams_body(*exchange)) {
    requests.send_continue_if_due();
    return requests.resume();
  }
  release_keeping_head(*exchange);
  exchange->answer.on(http::AnswerEvent::kAnnounce);
  const bool calls = http_.context().routing.abilities_of(exchange->mount).call;
  if (!calls && !http_.upgrade().expected()) {
    release(*exchange, true);
    http_.answers().early(*exchange, 404);
  } else {
    requests.send_continue_if_due();
  }
  requests.resume();
}

// Informational answers belong in front of the one that counts (RFC 9110 section 15.2).
void ApplicationResponder::inform(std::uint32_t sequence, const http::ResponseHead& head) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || exchange->answer.state() != http::AnswerState::kAsked) return;
  if (!http_.wire().exchanges().is_front(*exchange) || exchange->minor_version == 0) return;
  http::write_response_head(http_.context().outbox.open(http_.connection()), head,
                            http::Framing::kNoBody, 0, true, exchange->minor_version, {});
}

// It cannot complete the answer.
void ApplicationResponder::cut(std::uint32_t sequence) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  http_.upgrade().decided(*exchange);
  const bool begun = exchange->answer.streamed() && http_.wire().exchanges().is_front(*exchange);
  release(*exchange, false);
  if (begun) {
    http_.context().outbox.flush(http_.connection());
    return http_.connection().reset();
  }
  // Nothing of it has left yet: the client can still be told.
  exchange->parked.reset();
  http_.requests().not_wanted(*exchange);
  http_.answers().plain(*exchange, 500);
}

bool ApplicationResponder::present(std::uint32_t sequence) {
  if (http_.wire().exchanges().find(sequence) == nullptr) return false;
  if (!http_.connection().stream().peer_gone()) return true;
  http_.connection().fail();
  return false;
}

}  // namespace httpuv::server
