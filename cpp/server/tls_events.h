// What becomes of what the TLS connections of a server report: counts, and notices for the log.
//
// Loop thread only; owned by the server's loop. Of failed handshakes at most some a second are told
// (see RefusalLog); the counter knows them all.
#pragma once

#include <memory>
#include <string_view>

#include "net/listen/accepted.h"
#include "net/stream/transport.h"
#include "net/tls/endpoint.h"
#include "server/context.h"

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
