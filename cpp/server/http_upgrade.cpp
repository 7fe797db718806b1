// The way from HTTP to WebSocket: RFC 6455 section 4.2 behind the request it came in.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/ascii.h"
#include "server/connection.h"
#include "server/host_check.h"
#include "server/http_session.h"
#include "server/parked.h"
#include "websocket/handshake.h"

namespace httpuv::server {

namespace {

bool is_loopback(const net::Peer& peer) {
  return peer.family == AF_UNIX || peer.address == "::1" || peer.address.starts_with("127.");
}

}  // namespace

// Where nothing but WebSocket is spoken, a request for another protocol is refused as such a
// handshake; elsewhere it is a request like any other.
bool HttpSession::wants_websocket() const {
  const Abilities& abilities = context_.settings.abilities;
  return abilities.websocket && head_.upgrade &&
         (!abilities.call ||
          base::has_list_token(head_.joined(http::Field::kUpgrade), "websocket"));
}

void HttpSession::upgrade_to_websocket(Exchange& exchange) {
  if (!exchanges_.is_front(exchange)) {
    upgrade_ = Upgrade::kWaiting;
    return;
  }
  upgrade_ = Upgrade::kNone;
  const ExchangeId id{connection_.id(), exchange.sequence};
  const auto refuse_upgrade = [&](http::PlainResponse&& refusal) {
    release(exchange, true);
    answer(exchange, std::move(refusal.head), std::move(refusal.body));
  };
  if (context_.draining) return refuse_upgrade(http::plain_response(503));
  const WebSocketSettings& settings = context_.settings.websocket;
  if (!origin_allowed(settings.allowed_origins, head_)) {
    return refuse_upgrade(http::plain_response(403, "this origin may not connect"));
  }

  const auto value = [this](http::Field field) -> std::optional<std::string> {
    if (!head_.has(field)) return std::nullopt;
    return head_.joined(field);
  };
  const auto upgrade = value(http::Field::kUpgrade);
  const auto connection = value(http::Field::kConnection);
  const auto key = value(http::Field::kSecWebSocketKey);
  const auto version = value(http::Field::kSecWebSocketVersion);
  const auto protocols = value(http::Field::kSecWebSocketProtocol);
  const auto extensions = value(http::Field::kSecWebSocketExtensions);
  const websocket::UpgradeRequest request{head_.view(head_.method),
                                          head_.minor_version,
                                          upgrade,
                                          connection,
                                          key,
                                          version,
                                          protocols,
                                          extensions};
  const net::Peer& peer = connection_.stream().peer();
  const bool deflate = settings.deflate && (settings.deflate_loopback || !is_loopback(peer));
  const websocket::DeflateOptions deflate_options;
  const websocket::Handshake handshake = websocket::answer_handshake(
      request, settings.protocols, deflate ? &deflate_options : nullptr);
  if (!handshake.accepted()) {
    http::PlainResponse refusal = http::plain_response(handshake.status, handshake.text);
    for (const websocket::HeaderLine& line : handshake.headers) {
      refusal.head.add(line.name, line.value);
    }
    return refuse_upgrade(std::move(refusal));
  }

  std::string date = "Date: ";
  date.append(context_.clock.text()).append("\r\n");
  websocket::append_handshake(context_.outbox.open(connection_), handshake, date);
  EnvelopePtr envelope = context_.envelopes.take();
  envelope->id = id;
  envelope->request = std::move(head_);
  envelope->remote_address = peer.address;
  envelope->remote_port = peer.port;
  envelope->resumed = std::exchange(exchange.announced, false);
  context_.events.emplace_back(WsOpenEvent{std::move(envelope), handshake.protocol});

  exchanges_.clear();
  exchanges_.release();
  if (trail_ != nullptr) {
    trail_->answered(101, 0);
    trail_->closed();
  }
  state_ = State::kUpgraded;
  upgraded_ = handshake.deflate
                  ? std::make_unique<websocket::Session>(&context_.ws_options, *handshake.deflate,
                                                         &context_.deflate_pool)
                  : std::make_unique<websocket::Session>(&context_.ws_options);
  // While input is being read its rest is handed over by read().
  if (!in_read_) connection_.upgrade(std::move(*upgraded_), std::exchange(held_, {}));
}

}  // namespace httpuv::server
