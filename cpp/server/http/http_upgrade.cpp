// The upgrade from HTTP to WebSocket (RFC 6455 section 4.2).
#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "server/connection/connection.h"
#include "server/http/host_check.h"
#include "server/http/http_session.h"
#include "server/http/parked.h"
#include "server/websocket/websocket_session.h"
#include "websocket/handshake.h"

namespace httpuv::server {

namespace {

bool is_loopback(const net::Peer& peer) {
  return peer.family == AF_UNIX || peer.address == "::1" || peer.address.starts_with("127.");
}

}  // namespace

// Where nothing but WebSocket is spoken, a request for another protocol is refused as such a
// handshake; elsewhere it is a request like any other.
bool HttpSession::wants_websocket(const Exchange& exchange) const {
  const Abilities& abilities = abilities_of(exchange);
  return abilities.websocket && wire_.incoming().head().upgrade &&
         (!abilities.call ||
          base::has_list_token(wire_.incoming().head().joined(http::Field::kUpgrade), "websocket"));
}

void HttpSession::upgrade_to_websocket(Exchange& exchange) {
  if (!wire_.exchanges().is_front(exchange)) return;  // next_answers() comes back
  const auto refuse_upgrade = [&](std::string_view reason, http::PlainResponse&& refusal) {
    context_.refusals.tell(context_, connection_, refusal.head.status, reason, "a WebSocket");
    wire_.incoming().on(http::RequestEvent::kStay);
    release(exchange, true);
    answer(exchange, std::move(refusal.head), std::move(refusal.body));
  };
  // A client that has ended its side could not close a WebSocket.
  if (wire_.half_closed()) {
    return refuse_upgrade("its client has ended its side", http::plain_response(400));
  }
  if (context_.draining) {
    return refuse_upgrade("the server stops", http::plain_response(503));
  }
  const WebSocketSettings& settings = context_.settings.websocket;
  if (!origin_allowed(settings.allowed_origins, wire_.incoming().head())) {
    return refuse_upgrade("its origin is not among allowedOrigins",
                          http::plain_response(403, "this origin may not connect"));
  }

  const auto value = [this](http::Field field) -> std::optional<std::string> {
    if (!wire_.incoming().head().has(field)) return std::nullopt;
    return wire_.incoming().head().joined(field);
  };
  const auto upgrade = value(http::Field::kUpgrade);
  const auto connection = value(http::Field::kConnection);
  const auto key = value(http::Field::kSecWebSocketKey);
  const auto version = value(http::Field::kSecWebSocketVersion);
  const auto protocols = value(http::Field::kSecWebSocketProtocol);
  const auto extensions = value(http::Field::kSecWebSocketExtensions);
  const websocket::UpgradeRequest request{
      wire_.incoming().head().view(wire_.incoming().head().method),
      wire_.incoming().head().minor_version,
      upgrade,
      connection,
      key,
      version,
      protocols,
      extensions};
  const net::Peer& peer = connection_.peer();
  const bool deflate = settings.deflate && (settings.deflate_loopback || !is_loopback(peer));
  const websocket::DeflateOptions deflate_options;
  websocket::Handshake handshake = websocket::answer_handshake(
      request, settings.protocols, deflate ? &deflate_options : nullptr);
  if (!handshake.accepted()) {
    http::PlainResponse refusal = http::plain_response(handshake.status, handshake.text);
    for (const websocket::HeaderLine& line : handshake.headers) {
      refusal.head.add(line.name, line.value);
    }
    return refuse_upgrade("its handshake is wrong", std::move(refusal));
  }

  ask_about_websocket(exchange, std::move(handshake));
}

// Tells the application of the handshake; opens the socket unless it wants to decide.
void HttpSession::ask_about_websocket(Exchange& exchange, websocket::Handshake&& handshake) {
  const bool waits = abilities_of(exchange).ws_waits;
  const std::uint64_t cost = cost_of(wire_.incoming().head());
  if ((waits && !context_.admits_request()) || !context_.budget.fits(cost)) {
    return overloaded(exchange, 503);
  }
  if (!exchange.answer.announced()) exchange.head = context_.budget.charge(Held::kHeads, cost);
  const net::Peer& peer = client_of(exchange);
  EnvelopePtr envelope = context_.envelopes.take();
  envelope->id = {connection_.id(), exchange.sequence};
  envelope->request = std::move(wire_.incoming().head());
  envelope->remote_address = peer.address;
  envelope->remote_port = peer.port;
  envelope->https = exchange.observed.https;
  envelope->client_told = exchange.observed.client != nullptr;
  envelope->tls = connection_.stream().tls();
  envelope->mount = exchange.mount;
  envelope->resumed = exchange.answer.announced();
  context_.events.emplace_back(WsOpenEvent{std::move(envelope), handshake.protocol, waits});
  if (!waits) return open_websocket(handshake, {});
  hand_over(exchange);
  asked_ = std::make_unique<Asked>(
      Asked{std::move(handshake), context_.loop.now_ms() + context_.limits.ws_accept_timeout});
  if (!in_read_) update_deadline();
}

// The application accepts.
void HttpSession::accept_websocket(WsAccept&& command) {
  Exchange* const exchange = wire_.exchanges().find(command.id.sequence);
  if (asked_ == nullptr || exchange == nullptr || !wire_.is_current(*exchange)) return;
  const std::unique_ptr<Asked> asked = std::move(asked_);
  base::Charge kept = std::move(exchange->head);
  release(*exchange, false);
  exchange->head = std::move(kept);
  if (command.protocol) {
    std::erase_if(asked->handshake.headers, [](const websocket::HeaderLine& line) {
      return line.name == "Sec-WebSocket-Protocol";
    });
    if (!command.protocol->empty()) {
      asked->handshake.headers.push_back({"Sec-WebSocket-Protocol", std::move(*command.protocol)});
    }
  }
  open_websocket(asked->handshake, command.head.fields());
}

// The application answers the request that asks for a WebSocket with something else.
void HttpSession::websocket_decided(const Exchange& exchange) {
  if (asked_ == nullptr || !wire_.is_current(exchange)) return;
  asked_.reset();
  wire_.incoming().on(http::RequestEvent::kStay);
}

// Its word takes too long, or the server stops.
void HttpSession::give_up_websocket() {
  Exchange* const exchange = wire_.current();
  if (exchange == nullptr) return;
  websocket_decided(*exchange);
  tell_refused(503, context_.draining ? "the server stops"
                                      : "the application did not say whether it accepts it");
  release(*exchange, true);
  answer_plain(*exchange, 503);
}

void HttpSession::open_websocket(const websocket::Handshake& handshake, std::string_view fields) {
  std::string lines = "Date: ";
  lines.append(context_.clock.text()).append("\r\n").append(fields);
  websocket::append_handshake(context_.outbox.open(connection_), handshake, lines);

  note_answer(wire_.exchanges().front(), 101, 0);
  wire_.exchanges().front().observed.by = AnsweredBy::kWebSocket;
  tell_observers(wire_.exchanges().front());
  // The application has the head as long as it has the socket.
  base::Charge head = std::move(wire_.exchanges().front().head);
  wire_.upgrade();
  upgraded_ = std::make_unique<WebSocketSession>(
      context_, connection_,
      handshake.deflate
          ? websocket::Session(&context_.ws_options, *handshake.deflate, &context_.deflate_pool)
          : websocket::Session(&context_.ws_options),
      std::move(head));
  // While input is being read its rest is handed over by read().
  if (!in_read_)
    connection_.become(std::move(upgraded_), std::exchange(wire_.incoming().kept(), {}));
}

}  // namespace httpuv::server
