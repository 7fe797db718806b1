// HTTP/1 on one connection: the protocol with which a Connection begins. It passes what the
// transport, the clock and the application report to its parts, and ends the connection.
//
//   Wire                  framing, order, keep-alive, how it ends; no I/O (http/wire/wire.h)
//   RequestReader         input -> requests and their bodies
//   route()               which responder a request is for
//   responders/           application, streams, static files, WebSocket handshakes, builtin paths
//   Answers               complete answers, each in its turn
//   HttpDeadlines         how long the peer may take
//
// Loop thread only. A broken request is answered with its status code and ends the connection; a
// broken transport just ends it. It has more than 25 members because ten of them are Protocol's and
// its parts reach each other through it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/connection/context.h"
#include "server/connection/protocol.h"
#include "server/http/answers.h"
#include "server/http/exchange/exchange.h"
#include "server/http/http_deadlines.h"
#include "server/http/request_reader.h"
#include "server/http/responders/application_responder.h"
#include "server/http/responders/upgrade_responder.h"

namespace httpuv::server {

class Connection;

class HttpSession final : public Protocol {
 public:
  HttpSession(Context& context, Connection& connection);
  ~HttpSession() override;

  void start() override;
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override;
  void on_deadline() override;
  void on_gone() override;
  // A request that has begun to arrive, or arrives at once, is answered; then the connection ends.
  // A connection that was never used has a moment for its first byte.
  void drain() override;
  [[nodiscard]] ConnectionState state() const override;
  [[nodiscard]] std::optional<std::int64_t> idle_since() const override;
  HttpSession* http() override { return this; }

  [[nodiscard]] Context& context() { return context_; }
  [[nodiscard]] Connection& connection() { return connection_; }
  [[nodiscard]] Wire& wire() { return wire_; }
  [[nodiscard]] HttpDeadlines& deadlines() { return deadlines_; }
  [[nodiscard]] RequestReader& requests() { return requests_; }
  [[nodiscard]] Answers& answers() { return answers_; }
  [[nodiscard]] ApplicationResponder& application() { return application_; }
  [[nodiscard]] UpgradeResponder& upgrade() { return upgrade_; }

  // No more input is parsed: it is broken, too late, or does not fit. The request being read gets
  // the answer; without one, because its head is what is broken, a new exchange does.
  void refuse(int status, std::string_view reason);
  // Everything that came before the FIN has been read.
  void end_of_input();
  // No answer follows: closes when all is written, or lingers.
  void finish(bool linger);

 private:
  void end_if_written();
  void abandon_all();

  Context& context_;
  Connection& connection_;
  Wire wire_;
  HttpDeadlines deadlines_;
  RequestReader requests_;
  Answers answers_;
  ApplicationResponder application_;
  UpgradeResponder upgrade_;
};

}  // namespace httpuv::server
