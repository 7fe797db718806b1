// Routing: a request is answered by a refusal, a builtin path, a WebSocket, a static path or the
// application.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/percent.h"
#include "server/connection/connection.h"
#include "server/http/host_check.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"
#include "server/http/static_files.h"

namespace httpuv::server {

namespace {

// The first value of a field, by its lower-case name; "" without one.
std::string_view value_of(const http::RequestHead& head, std::string_view name) {
  for (const http::HeaderField& field : head.fields) {
    if (head.view(field.name) == name) return head.view(field.value);
  }
  return {};
}

// The application of a path: 0, or 1 + the index of the mount. Paths are compared decoded, so that
// no spelling of a path bypasses its application.
std::uint16_t find_mount(const std::vector<Mount>& mounts, std::string_view raw_path) {
  if (mounts.empty()) return 0;
  std::optional<std::string> decoded;
  if (raw_path.find('%') != std::string_view::npos) decoded = base::percent_decode(raw_path);
  const std::string_view path = decoded ? std::string_view(*decoded) : raw_path;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].off) continue;
    const std::string& prefix = mounts[i].prefix;
    if (prefix.empty()) return static_cast<std::uint16_t>(i + 1);
    if (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/')) {
      return static_cast<std::uint16_t>(i + 1);
    }
  }
  return 0;
}

// Whether a short body is delivered as a whole although the application reads in pieces: one call
// instead of two.
bool gathers(const Abilities& can, const http::RequestHead& head) {
  return head.content_length && *head.content_length <= can.gather_body && !head.chunked &&
         !head.expects_continue;
}

}  // namespace

void HttpSession::route(Exchange& exchange) {
  if (route_builtin(exchange)) return;
  if (!host_allowed(context_.settings.allowed_hosts, wire_.incoming().head())) {
    tell_refused(403, "its host is not among allowedHosts");
    return answer_early(exchange, 403, "this server does not go by that name, see allowedHosts");
  }
  exchange.mount = find_mount(context_.routing.mounts,
                              wire_.incoming().head().view(wire_.incoming().head().path));
  const Abilities& can = abilities_of(exchange);
  if (wants_websocket(exchange)) {
    wants_upgrade_ = true;
    if (!admit_body(exchange)) return;
    if (can.on_headers) {
      wire_.incoming().on(http::RequestEvent::kHold);
      to_application(exchange, http::RequestHead(wire_.incoming().head()), RequestBody{}, true);
    }
    return;
  }
  // CONNECT has no path: it is the application's, and its connection ends with the answer.
  if (wire_.incoming().head().is_connect) {
    exchange.is_connect = true;
    exchange.keep_alive = false;
    if (!can.connect || !can.call) {
      return answer_allow(exchange, 405);
    }
  }
  if (wire_.incoming().head().is_options &&
      wire_.incoming().head().view(wire_.incoming().head().path) == "*" && !can.call) {
    return answer_allow(exchange, 204);
  }
  const files::Match match =
      wire_.incoming().head().is_connect
          ? files::Match()
          : context_.files->classify(wire_.incoming().head().view(wire_.incoming().head().path));
  if (match.kind == files::MatchKind::kBadRequest) {
    tell_refused(400, "its path is not one");
    return answer_early(exchange, 400);
  }
  if (match.kind == files::MatchKind::kRoute && route_static(exchange, match)) return;
  streams_body_ = can.stream_body && can.call && wire_.incoming().head().has_body() &&
                  !gathers(can, wire_.incoming().head());
  if (streams_body_) {
    body_.reset();
    exchange.body = context_.budget.charge(Held::kBodies);  // grows with what is handed over
  } else if (can.call && !admit_body(exchange)) {
    return;
  }
  if (can.on_headers || streams_body_) {
    wire_.incoming().on(http::RequestEvent::kHold);
    return to_application(exchange, std::move(wire_.incoming().head()), RequestBody{}, true);
  }
  if (!can.call) return answer_early(exchange, 404);
  send_continue_if_due();
}

// Says which methods there are (RFC 9110 section 10.2.1). Which ones the application knows only it
// can tell: these are the registered ones that it is asked about.
void HttpSession::answer_allow(Exchange& exchange, int status) {
  http::PlainResponse plain = http::plain_response(status);
  plain.head.add("Allow", abilities_of(exchange).call
                              ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
                              : "GET, HEAD, OPTIONS");
  if (status == 204) plain = http::PlainResponse{std::move(plain.head), {}};
  wire_.incoming().on(http::RequestEvent::kDrop);
  answer(exchange, std::move(plain.head), std::move(plain.body));
}

// False: the route leaves this request to the application.
bool HttpSession::route_static(Exchange& exchange, const files::Match& match) {
  const files::Options& options = match.route->options;
  if (options.validation &&
      !files::validation_passes(options,
                                value_of(wire_.incoming().head(), options.validation->header))) {
    answer_static_early(
        exchange,
        files::forbidden(*match.route, wire_.incoming().head().joined(http::Field::kAccept)));
    return true;
  }
  if (!wire_.incoming().head().is_get && !wire_.incoming().head().is_head) {
    if (options.fallthrough) return false;
    answer_static_early(
        exchange, files::method_not_allowed(*match.route,
                                            wire_.incoming().head().joined(http::Field::kAccept)));
    return true;
  }
  if (options.fallthrough && !admit_body(exchange)) return true;
  exchange.parked = std::make_unique<Parked>();
  exchange.answer.on(http::AnswerEvent::kResolve);
  if (options.fallthrough && body_ != nullptr) {
    // The application may get it after all: it is resolved when its body is complete.
    exchange.parked->request = std::move(wire_.incoming().head());
    send_continue_if_due();
  } else {
    wire_.incoming().on(http::RequestEvent::kDrop);
    context_.files->resolve({connection_.id(), exchange.sequence}, match, wire_.incoming().head());
    exchange.parked->request = std::move(wire_.incoming().head());
  }
  return true;
}

void HttpSession::resume_request(std::uint32_t sequence) {
  Exchange* exchange = wire_.exchanges().find(sequence);
  if (exchange == nullptr || !wire_.incoming().side().held() || !wire_.is_current(*exchange))
    return;
  wire_.incoming().on(http::RequestEvent::kGoOn);
  if (streams_body_) {
    send_continue_if_due();
    return resume_reading();
  }
  base::Charge kept = std::move(exchange->head);  // the application keeps the head
  release(*exchange, false);
  exchange->head = std::move(kept);
  exchange->answer.on(http::AnswerEvent::kAnnounce);
  if (!abilities_of(*exchange).call && !wants_upgrade_) {
    release(*exchange, true);
    answer_early(*exchange, 404);
  } else {
    send_continue_if_due();
  }
  resume_reading();
}

void HttpSession::to_application(Exchange& exchange, http::RequestHead&& head, RequestBody&& body,
                                 bool headers_only) {
  const std::uint64_t cost = cost_of(head);
  if (!context_.admits_request() || !context_.budget.fits(cost)) return overloaded(exchange, 503);
  const bool announced = exchange.answer.announced();
  if (!announced) {
    negotiate(exchange, head);
    exchange.head = context_.budget.charge(Held::kHeads, cost);
  }
  hand_over(exchange);
  const net::Peer& peer = client_of(exchange);
  EnvelopePtr envelope = context_.envelopes.take();
  envelope->id = {connection_.id(), exchange.sequence};
  std::swap(envelope->request, head);
  context_.envelopes.give_head(std::move(head));  // one that was used, from the envelope
  envelope->body = std::move(body);
  envelope->remote_address = peer.address;
  envelope->remote_port = peer.port;
  envelope->https = exchange.observed.https;
  envelope->client_told = exchange.observed.client != nullptr;
  envelope->tls = connection_.stream().tls();
  envelope->headers_only = headers_only;
  envelope->mount = exchange.mount;
  envelope->resumed = announced;
  context_.events.emplace_back(RequestEvent{std::move(envelope)});
}

// The application is to answer.
void HttpSession::hand_over(Exchange& exchange) {
  exchange.answer.on(http::AnswerEvent::kAsk);
  ++pending_;
  context_.counters.in_flight.add();
}

// Before a body is read: whether there is room for it, and for one more request.
bool HttpSession::admit_body(Exchange& exchange) {
  if (body_ == nullptr) return true;
  if (!context_.admits_request()) {
    overloaded(exchange, 503);
    return false;
  }
  const Budget::Room room = body_->room_for(wire_.incoming().head().content_length.value_or(0),
                                            wire_.incoming().head().content_length.value_or(0));
  if (room == Budget::Room::kNow) return true;
  overloaded(exchange, room == Budget::Room::kNever ? 413 : 503);
  return false;
}

void HttpSession::overloaded(Exchange& exchange, int status) {
  context_.counters.overloaded.add();
  // Not logged: the line would wait in the queue that is full.
  context_.metrics.refusals.count(status, context_.admits_request()
                                              ? "it does not fit into what the server may hold"
                                              : "Python has too many requests already");
  if (wire_.is_current(exchange)) wire_.incoming().on(http::RequestEvent::kDrop);
  release(exchange, true);
  answer_plain(exchange, status);
}

// The application is done with the exchange, or (`abandon`) will never be heard about it.
void HttpSession::release(Exchange& exchange, bool abandon) {
  const bool known = exchange.answer.with_application() || exchange.answer.announced();
  if (exchange.answer.with_application()) {
    exchange.answer.on(http::AnswerEvent::kWithdraw);
    if (!is_fed(exchange)) {
      --pending_;
      context_.counters.in_flight.subtract(1);
    }
  }
  if (abandon && known) {
    exchange.answer.on(http::AnswerEvent::kWithdraw);
    context_.events.emplace_back(AbandonedEvent{
        {connection_.id(), exchange.sequence}, exchange.head.share(), exchange.body.share()});
  }
  exchange.head = {};
  exchange.body = {};
}

void HttpSession::send_continue_if_due() {
  if (wire_.continue_due()) wire_.write_continue(context_.outbox.open(connection_));
}

}  // namespace httpuv::server
