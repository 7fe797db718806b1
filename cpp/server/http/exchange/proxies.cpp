#include "server/http/exchange/proxies.h"

#include <memory>
#include <string>
#include <utility>

#include "http/proxy/forwarded.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"

namespace httpuv::server {

void believe_proxy(HttpSession& http, Exchange& exchange) {
  Context& context = http.context();
  http::RequestHead& head = http.wire().incoming().head();
  const http::Networks& proxies = context.settings.proxies;
  const bool trusted = !proxies.empty() && proxies.contain(http.connection().peer().address);
  if (context.settings.request_ids) context.request_ids.identify(head, trusted);
  if (!trusted) return;
  http::Forwarded said = http::read_forwarded(head, proxies);
  exchange.observed.https = said.https.value_or(exchange.observed.https);
  if (!said.host.empty()) http::set_field(head, http::Field::kHost, said.host);
  if (said.address.empty()) return;
  const int family = said.address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  exchange.observed.client =
      std::make_unique<net::Peer>(net::Peer{std::move(said.address), said.port, family});
}

const net::Peer& client_of(Connection& connection, const Exchange& exchange) {
  return exchange.observed.client != nullptr ? *exchange.observed.client : connection.peer();
}

}  // namespace httpuv::server
