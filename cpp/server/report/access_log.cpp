#include "server/report/access_log.h"

#include <utility>

#include "server/connection/connection.h"

namespace httpuv::server {

AccessLog::AccessLog(Context& context) : context_(context) {
  if (!context.settings.access_log) return;
  context.observers.push_back(this);
  context.observes_text = true;
}

void AccessLog::exchange_ended(Observed& exchange, const net::Peer& peer) {
  AccessRecord record;
  if (exchange.text != nullptr) {
    record.request = std::move(exchange.text->line);
    record.referer = std::move(exchange.text->referer);
    record.user_agent = std::move(exchange.text->user_agent);
    record.request_id = std::move(exchange.text->request_id);
    record.trace_id = std::move(exchange.text->trace_id);
  }
  record.remote_address = peer.address;
  record.remote_port = peer.port;
  record.status = exchange.status;
  record.bytes = exchange.bytes;
  record.begun = exchange.begun;
  record.took = exchange.took;
  record.ended = std::chrono::system_clock::now();
  if (!context_.answered.add(std::move(record))) context_.counters.log_dropped.add();
}

}  // namespace httpuv::server
