// The beginning of a connection on a listener behind a proxy: reads the PROXY preamble, sets the
// client of the connection, and replaces itself by HttpSession.
//
// Loop thread only; a Protocol. A connection without a preamble in time, or from a proxy that is
// not trusted, is closed without an answer, because its protocol is unknown.
#pragma once

#include <string>
#include <string_view>

#include "server/connection/context.h"
#include "server/connection/protocol.h"

namespace httpuv::server {

class Connection;

class ProxySession final : public Protocol {
 public:
  ProxySession(Context& context, Connection& connection)
      : context_(context), connection_(connection) {}

  void start() override;
  void on_data(std::string_view bytes) override;
  void on_eof() override;
  void on_drained() override {}
  void on_deadline() override;
  void on_gone() override {}
  void drain() override;
  [[nodiscard]] ConnectionState state() const override { return ConnectionState::kReading; }

 private:
  void refuse(std::string_view reason);

  Context& context_;
  Connection& connection_;
  std::string read_;  // at most http::ProxyPreamble::kMost, and what came with its end
};

}  // namespace httpuv::server
