// The upgrade from HTTP to WebSocket (RFC 6455 section 4.2): the handshake is checked, the
// application may be asked, and the connection gets its next protocol.
//
//   expected   the request being read asks for a WebSocket
//   begin()    it is complete: refused, or waits for its turn, or for the application (waits()),
//              or the socket opens
//
// Loop thread only; a part of HttpSession. A handshake that is wrong, or takes too long to be
// decided, is answered.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/message/request.h"
#include "server/connection/protocol.h"
#include "server/http/exchange/exchange.h"
#include "server/message/commands.h"
#include "server/message/routing.h"
#include "websocket/handshake.h"

namespace httpuv::server {

class HttpSession;

class UpgradeResponder {
 public:
  explicit UpgradeResponder(HttpSession& http) : http_(http) {}

  [[nodiscard]] static bool is_for(const Abilities& can, const http::RequestHead& head);
  void expect(bool expected) { expected_ = expected; }
  [[nodiscard]] bool expected() const { return expected_; }

  // Called when the request is complete, and again at its turn.
  void begin(Exchange& exchange);

  // Waits for the application's decision, at most until due().
  [[nodiscard]] bool waits() const { return asked_ != nullptr; }
  [[nodiscard]] std::int64_t due() const { return asked_->due; }
  void accept(WsAccept&& command);
  // The application gives another answer, or none.
  void decided(const Exchange& exchange);
  // The decision takes too long, or the server stops.
  void give_up();
  // The connection ends.
  void forget() { asked_.reset(); }

  // The input behind the handshake, once the wire is upgraded.
  void hand_over(std::string_view rest);

 private:
  struct Asked {
    websocket::Handshake handshake;
    std::int64_t due = 0;
  };

  void refuse(Exchange& exchange, std::string_view reason, http::PlainResponse&& refusal);
  [[nodiscard]] websocket::Handshake answer_handshake();
  void ask(Exchange& exchange, websocket::Handshake&& handshake);
  void open(const websocket::Handshake& handshake, std::string_view fields);

  HttpSession& http_;
  bool expected_ = false;
  std::unique_ptr<Asked> asked_;
  std::unique_ptr<Protocol> next_;  // until hand_over()
};

}  // namespace httpuv::server
