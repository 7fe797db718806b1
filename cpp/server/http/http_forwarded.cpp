// The client that a trusted proxy names; applied before anything else is decided.
#include <memory>
#include <utility>

#include "http/forwarded.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"

namespace httpuv::server {

void HttpSession::believe_proxy(Exchange& exchange) {
  const http::Networks& proxies = context_.settings.proxies;
  const bool trusted = !proxies.empty() && proxies.contain(connection_.peer().address);
  if (context_.settings.request_ids)
    context_.request_ids.identify(wire_.incoming().head(), trusted);
  if (!trusted) return;
  http::Forwarded said = http::read_forwarded(wire_.incoming().head(), proxies);
  exchange.observed.https = said.https.value_or(exchange.observed.https);
  if (!said.host.empty()) http::set_field(wire_.incoming().head(), http::Field::kHost, said.host);
  if (said.address.empty()) return;
  const int family = said.address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  exchange.observed.client =
      std::make_unique<net::Peer>(net::Peer{std::move(said.address), said.port, family});
}

const net::Peer& HttpSession::client_of(const Exchange& exchange) {
  return exchange.observed.client != nullptr ? *exchange.observed.client : connection_.peer();
}

}  // namespace httpuv::server
