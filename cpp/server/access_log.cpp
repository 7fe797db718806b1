#include "server/access_log.h"

#include <utility>

#include "server/connection.h"

namespace httpuv::server {

AccessLog::AccessLog(Context& context) : context_(context) {
  if (context.settings.access_log) context.observers.push_back(this);
}

// The strings are not needed by anything else, but another observer may come behind this one: they
// are copied, unless this is the only one.
void AccessLog::exchange_ended(Observed& exchange, const net::Peer& peer) {
  AccessRecord record;
  if (context_.observers.size() == 1) {
    record.request = std::move(exchange.request);
    record.referer = std::move(exchange.referer);
    record.user_agent = std::move(exchange.user_agent);
  } else {
    record.request = exchange.request;
    record.referer = exchange.referer;
    record.user_agent = exchange.user_agent;
  }
  record.remote_address = peer.address;
  record.remote_port = peer.port;
  record.status = exchange.status;
  record.bytes = exchange.bytes;
  record.begun = exchange.begun;
  record.took = std::chrono::steady_clock::now() - exchange.begun;
  record.ended = std::chrono::system_clock::now();
  context_.answered.add(std::move(record));
}

}  // namespace httpuv::server
