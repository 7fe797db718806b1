#include "server/proxy_session.h"

#include <memory>
#include <utility>

#include "http/proxy/proxy_preamble.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"

namespace httpuv::server {

namespace {
constexpr std::int64_t kFirstByteMs = 3'000;  // while the server stops
}  // namespace

void ProxySession::start() {
  const http::Networks& proxies = context_.settings.proxies;
  if (!proxies.empty() && !proxies.contain(connection_.peer().address)) {
    return refuse("its proxy is not among forwardedAllowIps");
  }
  connection_.set_deadline(context_.loop.now_ms() + context_.limits.header_timeout);
  connection_.stream().start_reading();
}

void ProxySession::on_data(std::string_view bytes) {
  read_.append(bytes);
  http::ProxyPreamble preamble;
  switch (preamble.read(read_)) {
    case http::ProxyPreamble::Result::kNeedMore:
      return;
    case http::ProxyPreamble::Result::kError:
      return refuse("it does not begin with the PROXY protocol");
    case http::ProxyPreamble::Result::kDone:
      break;
  }
  if (!preamble.address.empty()) {
    connection_.set_peer({preamble.address, preamble.port,
                          preamble.address.find(':') == std::string::npos ? AF_INET : AF_INET6});
  }
  const std::string rest = read_.substr(preamble.size);
  connection_.become(std::make_unique<HttpSession>(context_, connection_), rest);
}

void ProxySession::on_eof() {
  connection_.close();
}

void ProxySession::on_deadline() {
  context_.counters.timed_out.add();
  refuse("its PROXY preamble did not come in time");
}

// Its request may be on its way, as in HttpSession.
void ProxySession::drain() {
  connection_.set_deadline(context_.loop.now_ms() + kFirstByteMs);
}

void ProxySession::refuse(std::string_view reason) {
  context_.counters.refused.add();
  context_.refusals.tell(context_, connection_, 0, reason, "a connection");
  connection_.close();
}

}  // namespace httpuv::server
