#include "server/http/responders/static_responder.h"

#include <memory>
#include <string>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/http_session.h"
#include "server/http/routing/static_files.h"

namespace httpuv::server {

namespace {

// The first value of a field, by its lower-case name; "" without one.
std::string_view value_of(const http::RequestHead& head, std::string_view name) {
  for (const http::HeaderField& field : head.fields) {
    if (head.view(field.name) == name) return head.view(field.value);
  }
  return {};
}

}  // namespace

bool StaticResponder::take(Exchange& exchange, const files::Match& match) {
  http::RequestHead& head = http_.wire().incoming().head();
  const files::Options& options = match.route->options;
  if (options.validation &&
      !files::validation_passes(options, value_of(head, options.validation->header))) {
    refuse(exchange, files::forbidden(*match.route, head.joined(http::Field::kAccept)));
    return true;
  }
  if (!head.is_get && !head.is_head) {
    if (options.fallthrough) return false;
    refuse(exchange, files::method_not_allowed(*match.route, head.joined(http::Field::kAccept)));
    return true;
  }
  if (options.fallthrough && !http_.requests().admit_body(exchange)) return true;
  auto& waiting = park<ParkedStatic>(exchange);
  exchange.answer.on(http::AnswerEvent::kResolve);
  if (options.fallthrough && http_.requests().collects_body()) {
    // The application may get it after all: it is resolved when its body is complete.
    waiting.request = std::move(head);
    http_.requests().send_continue_if_due();
  } else {
    http_.wire().incoming().on(http::RequestEvent::kDrop);
    http_.context().files->resolve({http_.connection().id(), exchange.sequence}, match, head);
    waiting.request = std::move(head);
  }
  return true;
}

// The few fields of this answer of the file library are already written out.
void StaticResponder::refuse(Exchange& exchange, files::Answer&& answer) {
  http::ResponseHead head;
  head.status = answer.status;
  head.add_serialized(answer.fields);
  head.add_serialized(answer.own_fields);
  exchange.observed.by = AnsweredBy::kStatic;
  http_.wire().incoming().on(http::RequestEvent::kDrop);
  http_.answers().give(exchange, std::move(head),
                       answer.body == files::BodyKind::kMemory ? std::string(answer.memory)
                                                               : std::move(answer.text));
}

void StaticResponder::resolve_with_body(Exchange& exchange, RequestBody&& body) {
  auto& waiting = *parked<ParkedStatic>(exchange);
  waiting.body = std::move(body);
  http_.context().files->resolve({http_.connection().id(), exchange.sequence}, waiting.request);
}

void StaticResponder::resolved(std::uint32_t sequence, const files::Resolution& resolution) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.resolving()) return;
  if (resolution.kind == files::ResolutionKind::kFallthrough) {
    auto [request, body, unresolved] = std::move(*parked<ParkedStatic>(*exchange));
    exchange->parked.reset();
    const bool calls = http_.context().routing.abilities_of(exchange->mount).call;
    if (!calls) return http_.answers().plain(*exchange, 404);
    return http_.application().ask(*exchange, std::move(request), std::move(body), false);
  }
  http_.context().counters.static_files.add();
  exchange->observed.by = AnsweredBy::kStatic;
  exchange->answer.on(http::AnswerEvent::kGive);
  if (http_.wire().exchanges().is_front(*exchange)) {
    const bool keep = write(*exchange, resolution);
    http_.answers().close_front(keep);
    http_.answers().next();
  } else {
    parked<ParkedStatic>(*exchange)->resolution = resolution;
  }
}

bool StaticResponder::write(Exchange& exchange, const files::Resolution& resolution) {
  auto& waiting = *parked<ParkedStatic>(exchange);
  Context& context = http_.context();
  const bool keep = http_.wire().keeps_alive(exchange, context.draining);
  const StaticFiles::Written written =
      context.files->write(http_.connection(), waiting.request, resolution,
                           {keep, exchange.is_head, exchange.minor_version});
  note_answer(exchange, written.status, written.bytes);
  context.envelopes.give_head(std::move(waiting.request));
  return keep;
}

}  // namespace httpuv::server
