#include "server/http/responders/upgrade_responder.h"

#include <optional>
#include <string>
#include <utility>

#include "base/text/ascii.h"
#include "server/connection/connection.h"
#include "server/http/exchange/observing.h"
#include "server/http/exchange/parked.h"
#include "server/http/http_session.h"
#include "server/http/routing/host_check.h"
#include "server/websocket/websocket_session.h"

namespace httpuv::server {

namespace {

bool is_loopback(const net::Peer& peer) {
  return peer.family == AF_UNIX || peer.address == "::1" || peer.address.starts_with("127.");
}

}  // namespace

// Where nothing but WebSocket is spoken, a request for another protocol is refused as such a
// handshake; elsewhere it is a request like any other.
bool UpgradeResponder::is_for(const Abilities& can, const http::RequestHead& head) {
  return can.websocket && head.upgrade &&
         (!can.call || base::has_list_token(head.joined(http::Field::kUpgrade), "websocket"));
}

void UpgradeResponder::begin(Exchange& exchange) {
  if (!http_.wire().exchanges().is_front(exchange)) return;  // Answers::next() comes back
  // A client that has ended its side could not close a WebSocket.
  if (http_.wire().half_closed()) {
    return refuse(exchange, "its client has ended its side", http::plain_response(400));
  }
  if (http_.context().draining) {
    return refuse(exchange, "the server stops", http::plain_response(503));
  }
  const auto& origins = http_.context().settings.websocket.allowed_origins;
  if (!origin_allowed(origins, http_.wire().incoming().head())) {
    return refuse(exchange, "its origin is not among allowedOrigins",
                  http::plain_response(403, "this origin may not connect"));
  }
  websocket::Handshake handshake = answer_handshake();
  if (handshake.accepted()) return ask(exchange, std::move(handshake));
  http::PlainResponse refusal = http::plain_response(handshake.status, handshake.text);
  for (const websocket::HeaderLine& line : handshake.headers) {
    refusal.head.add(line.name, line.value);
  }
  refuse(exchange, "its handshake is wrong", std::move(refusal));
}

void UpgradeResponder::refuse(Exchange& exchange, std::string_view reason,
                              http::PlainResponse&& refusal) {
  http_.context().refusals.tell(http_.context(), http_.connection(), refusal.head.status, reason,
                                "a WebSocket");
  http_.wire().incoming().on(http::RequestEvent::kStay);
  http_.application().release(exchange, true);
  http_.answers().give(exchange, std::move(refusal.head), std::move(refusal.body));
}

websocket::Handshake UpgradeResponder::answer_handshake() {
  const http::RequestHead& head = http_.wire().incoming().head();
  const WebSocketSettings& settings = http_.context().settings.websocket;
  const auto value = [&head](http::Field field) -> std::optional<std::string> {
    if (!head.has(field)) return std::nullopt;
    return head.joined(field);
  };
  const auto upgrade = value(http::Field::kUpgrade);
  const auto connection = value(http::Field::kConnection);
  const auto key = value(http::Field::kSecWebSocketKey);
  const auto version = value(http::Field::kSecWebSocketVersion);
  const auto protocols = value(http::Field::kSecWebSocketProtocol);
  const auto extensions = value(http::Field::kSecWebSocketExtensions);
  const websocket::UpgradeRequest request{head.view(head.method),
                                          head.minor_version,
                                          upgrade,
                                          connection,
                                          key,
                                          version,
                                          protocols,
                                          extensions};
  const bool deflate =
      settings.deflate && (settings.deflate_loopback || !is_loopback(http_.connection().peer()));
  const websocket::DeflateOptions deflate_options;
  return websocket::answer_handshake(request, settings.protocols,
                                     deflate ? &deflate_options : nullptr);
}

// Tells the application of the handshake; opens the socket unless it wants to decide.
void UpgradeResponder::ask(Exchange& exchange, websocket::Handshake&& handshake) {
  Context& context = http_.context();
  http::RequestHead& head = http_.wire().incoming().head();
  const bool waits = context.routing.abilities_of(exchange.mount).ws_waits;
  const std::uint64_t cost = cost_of(head);
  if ((waits && !context.admits_request()) || !context.budget.fits(cost)) {
    return http_.application().overloaded(exchange, 503);
  }
  if (!exchange.answer.announced()) exchange.head = context.budget.charge(Held::kHeads, cost);
  EnvelopePtr envelope = http_.application().envelope_for(exchange);
  envelope->request = std::move(head);
  context.events.emplace_back(WsOpenEvent{std::move(envelope), handshake.protocol, waits});
  if (!waits) return open(handshake, {});
  http_.application().wait_for(exchange);
  asked_ = std::make_unique<Asked>(
      Asked{std::move(handshake), context.loop.now_ms() + context.limits.ws_accept_timeout});
  if (!http_.requests().reading()) http_.deadlines().update();
}

void UpgradeResponder::accept(WsAccept&& command) {
  Exchange* const exchange = http_.wire().exchanges().find(command.id.sequence);
  if (asked_ == nullptr || exchange == nullptr || !http_.wire().is_current(*exchange)) return;
  const std::unique_ptr<Asked> asked = std::move(asked_);
  http_.application().release_keeping_head(*exchange);
  if (command.protocol) {
    std::erase_if(asked->handshake.headers, [](const websocket::HeaderLine& line) {
      return line.name == "Sec-WebSocket-Protocol";
    });
    if (!command.protocol->empty()) {
      asked->handshake.headers.push_back({"Sec-WebSocket-Protocol", std::move(*command.protocol)});
    }
  }
  open(asked->handshake, command.head.fields());
}

void UpgradeResponder::decided(const Exchange& exchange) {
  if (asked_ == nullptr || !http_.wire().is_current(exchange)) return;
  asked_.reset();
  http_.wire().incoming().on(http::RequestEvent::kStay);
}

void UpgradeResponder::give_up() {
  Exchange* const exchange = http_.wire().current();
  if (exchange == nullptr) return;
  decided(*exchange);
  Context& context = http_.context();
  context.refusals.tell(
      context, http_.connection(), 503,
      context.draining ? "the server stops" : "the application did not say whether it accepts it");
  http_.application().release(*exchange, true);
  http_.answers().plain(*exchange, 503);
}

void UpgradeResponder::open(const websocket::Handshake& handshake, std::string_view fields) {
  Context& context = http_.context();
  Connection& connection = http_.connection();
  std::string lines = "Date: ";
  lines.append(context.clock.text()).append("\r\n").append(fields);
  websocket::append_handshake(context.outbox.open(connection), handshake, lines);

  Exchange& exchange = http_.wire().exchanges().front();
  note_answer(exchange, 101, 0);
  exchange.observed.by = AnsweredBy::kWebSocket;
  end_observing(context, connection, exchange);
  // The application has the head as long as it has the socket.
  base::Charge head = std::move(exchange.head);
  http_.wire().upgrade();
  next_ = std::make_unique<WebSocketSession>(
      context, connection,
      handshake.deflate
          ? websocket::Session(&context.ws_options, *handshake.deflate, &context.deflate_pool)
          : websocket::Session(&context.ws_options),
      std::move(head));
  // While input is being read its rest is handed over by the reader.
  if (!http_.requests().reading()) {
    hand_over(std::exchange(http_.wire().incoming().kept(), {}));
  }
}

void UpgradeResponder::hand_over(std::string_view rest) {
  http_.connection().become(std::move(next_), rest);
}

}  // namespace httpuv::server
