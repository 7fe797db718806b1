// The beginning of a connection on a listener behind a proxy: reads the PROXY preamble, has the
// connection know its client, and hands it to HttpSession.
//
// Loop thread only; a Protocol. What does not begin with a preamble in time, or comes from a proxy
// that is not trusted, is closed without an answer: it is not known what it speaks.
#pragma once

#include <string>
#include <string_view>

#include "server/context.h"
#include "server/protocol.h"

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
