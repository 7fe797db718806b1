#include "server/http/request_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/exchange/proxies.h"
#include "server/http/http_session.h"
#include "server/http/responders/static_responder.h"
#include "server/http/routing/router.h"

namespace httpuv::server {

namespace {

// Bytes of answers that wait in user memory for a slow peer; beyond that no request is read.
constexpr std::size_t kMaxQueued = 256 * 1024;

}  // namespace

RequestReader::RequestReader(HttpSession& http) : http_(http) {}

// --- input --------------------------------------------------------------------------------------

void RequestReader::take(std::string_view bytes) {
  std::string& kept = http_.wire().incoming().kept();
  if (kept.empty()) return read(bytes);
  kept.append(bytes);
  count_input();
  resume();
}

bool RequestReader::may_read() const {
  switch (http_.wire().reads()) {
    case http::Next::kBody:
      return !body_paused_ && (body_ == nullptr || !body_->full());
    case http::Next::kRequest:
      return may_ask_more();
    case http::Next::kNothing:
      break;
  }
  return false;
}

// The answers that wait and those that are likely to come are few: another request may be read.
bool RequestReader::may_ask_more() const {
  const std::uint64_t waiting = http_.connection().stream().queued() + http_.answers().held();
  const std::size_t pending = http_.application().pending();
  if (pending == 0) return waiting < kMaxQueued;
  return waiting + (pending + 1) * http_.context().answer_size.expected() <= kMaxQueued;
}

void RequestReader::read(std::string_view input) {
  in_read_ = true;
  Wire& wire = http_.wire();
  http::Incoming& incoming = wire.incoming();
  bool hungry = false;
  while (!hungry && may_read()) {
    if (incoming.idle() && !input.empty()) http_.context().envelopes.lend_head(incoming);
    switch (wire.next(input)) {
      case http::WireEvent::kNeedMore:
        hungry = true;
        break;
      case http::WireEvent::kHead:
        on_head();
        break;
      case http::WireEvent::kBody:
        on_body(incoming.body());
        break;
      case http::WireEvent::kEnd:
        on_end();
        hungry = input.empty() && incoming.idle();  // as nearly always
        break;
      case http::WireEvent::kDropped:
        body_.reset();
        break;
      case http::WireEvent::kError:
        http_.refuse(incoming.error_status(), incoming.error_reason());
        break;
    }
  }
  in_read_ = false;
  if (wire.state() == http::WireState::kUpgraded) return http_.upgrade().hand_over(input);
  if (!wire.parses()) return;
  incoming.kept().assign(input);
  if (!input.empty()) http_.connection().stream().stop_reading();
  count_input();
  if (wire.parses()) http_.deadlines().update();
}

// What was read and is not a request yet: input that has to wait, a head that is not complete.
void RequestReader::count_input() {
  const http::Incoming& incoming = http_.wire().incoming();
  const std::size_t bytes = incoming.held();
  if (bytes == input_.bytes()) return;
  Budget& budget = http_.context().budget;
  if (bytes > input_.bytes() && !budget.fits(bytes - input_.bytes()) && incoming.holds_head()) {
    http_.context().counters.overloaded.add();
    return http_.refuse(503, "the memory of the server is used up");
  }
  if (input_.bytes() == 0) input_ = budget.charge(Held::kHeads);
  input_.resize(bytes);
}

void RequestReader::resume() {
  if (in_read_ || !may_read() || http_.connection().closing()) return;
  Wire& wire = http_.wire();
  std::string& kept = wire.incoming().kept();
  if (!kept.empty() || wire.incoming().side().reading()) {
    const std::string input = std::exchange(kept, {});
    read(input);
  }
  if (!wire.parses() || !kept.empty()) return;
  if (wire.half_closed()) {
    http_.end_of_input();
  } else {
    http_.connection().stream().start_reading();
  }
}

void RequestReader::drop() {
  body_.reset();
  input_ = {};
}

// --- requests -----------------------------------------------------------------------------------

void RequestReader::on_head() {
  Context& context = http_.context();
  Connection& connection = http_.connection();
  const http::RequestHead& head = http_.wire().incoming().head();
  Exchange& exchange = *http_.wire().current();
  http_.deadlines().head_came();
  http_.upgrade().expect(false);
  streams_body_ = false;
  context.counters.requests.add();

  const bool told = context.observes_text;  // to look for the end of the line is not free
  begin_observing(context, exchange, told ? http::first_line(head.bytes) : std::string_view(), 0);
  exchange.observed.https = connection.stream().tls() != nullptr;
  exchange.observed.method = method_of(head.view(head.method));
  believe_proxy(http_, exchange);
  observe_head(exchange, head);
  if (head.has_body()) {
    body_ = std::make_unique<BodyCollector>(
        context.loop, context.budget, context.spool_folder, context.limits.body_memory_bytes,
        [this, &connection] { connection.guarded([this] { on_body_progress(); }); });
  }
  route(http_, exchange);
}

bool RequestReader::admit_body(Exchange& exchange) {
  if (body_ == nullptr) return true;
  if (!http_.context().admits_request()) {
    http_.application().overloaded(exchange, 503);
    return false;
  }
  const std::uint64_t length = http_.wire().incoming().head().content_length.value_or(0);
  const Budget::Room room = body_->room_for(length, length);
  if (room == Budget::Room::kNow) return true;
  http_.application().overloaded(exchange, room == Budget::Room::kNever ? 413 : 503);
  return false;
}

void RequestReader::on_body(std::string_view bytes) {
  if (streams_body_) return pass_on(bytes, false);
  if (body_ == nullptr) return;
  // A body of unknown length has grown, or others have come meanwhile.
  const Budget::Room room = body_->room_for(bytes.size());
  if (room == Budget::Room::kNow) return body_->append(bytes);
  http_.context().counters.overloaded.add();
  http_.refuse(room == Budget::Room::kNever ? 413 : 503,
               "its body does not fit into what the server may hold");
}

void RequestReader::on_body_progress() {
  http_.context().spool.done(body_->error(), http_.context());
  if (body_->error() != 0) {
    http_.refuse(SpoolFaults::status(body_->error()), "its body cannot be kept");
  } else if (http_.wire().incoming().state() == http::RequestState::kStoring && body_->finished()) {
    complete();
  }
  resume();
}

void RequestReader::on_end() {
  if (streams_body_) {
    http_.wire().incoming().on(http::RequestEvent::kStored);
    return pass_on({}, true);
  }
  if (body_ != nullptr) {
    body_->end();
    if (!body_->finished()) return;  // on_body_progress() goes on
  }
  complete();
}

void RequestReader::complete() {
  http::Incoming& incoming = http_.wire().incoming();
  Exchange* const exchange = http_.wire().current();
  if (exchange == nullptr || exchange->answer.given()) {
    incoming.on(http::RequestEvent::kStored);
    body_.reset();
    return;
  }
  if (http_.upgrade().expected()) {
    incoming.on(http::RequestEvent::kUpgrade);
    body_.reset();
    return http_.upgrade().begin(*exchange);
  }
  incoming.on(http::RequestEvent::kStored);
  RequestBody body;
  if (body_ != nullptr) body = std::exchange(body_, nullptr)->take(exchange->body);
  if (exchange->answer.resolving()) {
    return StaticResponder(http_).resolve_with_body(*exchange, std::move(body));
  }
  http_.application().ask(*exchange, std::move(incoming.head()), std::move(body), false);
}

void RequestReader::send_continue_if_due() {
  if (!http_.wire().continue_due()) return;
  http_.wire().write_continue(http_.context().outbox.open(http_.connection()));
}

// --- bodies that the application reads while they arrive -----------------------------------------

void RequestReader::stream_body(Exchange& exchange) {
  streams_body_ = true;
  body_.reset();
  exchange.body = http_.context().budget.charge(Held::kBodies);  // grows with what is handed over
}

bool RequestReader::streams_body(const Exchange& exchange) const {
  return streams_body_ && http_.wire().is_current(exchange);
}

// Hands on what has come of the body being read. Pieces of one turn are one event.
void RequestReader::pass_on(std::string_view bytes, bool last) {
  Exchange* const exchange = http_.wire().current();
  if (exchange == nullptr) return;
  Context& context = http_.context();
  const ExchangeId id{http_.connection().id(), exchange->sequence};
  BodyEvent* event =
      context.events.empty() ? nullptr : std::get_if<BodyEvent>(&context.events.back());
  if (event == nullptr || event->id != id) {
    event = &std::get<BodyEvent>(context.events.emplace_back(BodyEvent{id, {}, false}));
  }
  event->bytes.append(bytes);
  event->last = last;
  exchange->body.grow(bytes.size());
  body_paused_ =
      !last && exchange->body.bytes() > 0 &&
      (exchange->body.bytes() >= context.limits.body_memory_bytes || context.budget.full());
}

void RequestReader::consumed(std::uint32_t sequence, std::size_t bytes) {
  Exchange* const exchange = http_.wire().exchanges().find(sequence);
  if (exchange == nullptr || !exchange->answer.with_application()) return;
  exchange->body.resize(exchange->body.bytes() -
                        std::min<std::uint64_t>(bytes, exchange->body.bytes()));
  if (!body_paused_ || !http_.wire().is_current(*exchange)) return;
  // Not at once when one piece fits again, or reading would stop after each.
  const Context& context = http_.context();
  const std::uint64_t low = context.budget.full() ? 0 : context.limits.body_memory_bytes / 2;
  if (exchange->body.bytes() > low) return;
  body_paused_ = false;
  resume();
}

void RequestReader::not_wanted(Exchange& exchange) {
  http::Incoming& incoming = http_.wire().incoming();
  if (!incoming.side().reading() || !http_.wire().is_current(exchange)) return;
  // Refused on its head alone: the client is asked to close (manual page startServer, onHeaders).
  if (incoming.side().held() && http_.context().routing.abilities_of(exchange.mount).on_headers) {
    exchange.keep_alive = false;
  }
  incoming.on(http::RequestEvent::kDrop);
  body_paused_ = false;
}

}  // namespace httpuv::server
