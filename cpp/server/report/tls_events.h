// Handles the reports of TLS connections: counts them, and makes notices for the log.
//
// Loop thread only; owned by the server's loop. The number of logged handshake failures per second
// is bounded (see RefusalLog); the counter counts all.
#pragma once

#include <memory>
#include <string_view>

#include "net/listen/accepted.h"
#include "net/stream/transport.h"
#include "net/tls/endpoint.h"
#include "server/connection/context.h"

namespace httpuv::server {

class TlsEvents final : private net::tls::Observer {
 public:
  // Null where the server has no certificate.
  static std::unique_ptr<TlsEvents> make(Context& context);
  explicit TlsEvents(Context& context);

  net::tls::Endpoint& endpoint() { return endpoint_; }

 private:
  void handshake_done(const net::TlsInfo& info) override;
  void handshake_failed(const net::Peer& peer, std::string_view reason) override;
  void certificate_renewed(const std::string& file) override;
  void certificate_failed(const net::tls::Fault& fault) override;

  Context& context_;
  net::tls::Endpoint endpoint_;
};

}  // namespace httpuv::server
