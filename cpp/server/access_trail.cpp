#include "server/access_trail.h"

#include <utility>

#include "server/connection.h"

namespace httpuv::server {

using Steady = std::chrono::steady_clock;

void AccessTrail::opened(const http::RequestHead& head) {
  opened(http::first_line(head.bytes), 0);
  open_.back().referer = head.get(http::Field::kReferer);
  open_.back().user_agent = head.get(http::Field::kUserAgent);
}

void AccessTrail::opened(std::string_view first_line, std::int64_t waited_ms) {
  AccessRecord& record = open_.emplace_back();
  record.request = first_line;
  record.begun = Steady::now() - std::chrono::milliseconds(waited_ms);
}

void AccessTrail::answered(int status, std::uint64_t bytes) {
  open_.front().status = status;
  open_.front().bytes = bytes;
}

void AccessTrail::sent(std::uint64_t bytes) {
  open_.front().bytes += bytes;
}

void AccessTrail::closed() {
  AccessRecord record = std::move(open_.front());
  open_.erase(open_.begin());
  const net::Peer& peer = connection_.stream().peer();
  record.remote_address = peer.address;
  record.remote_port = peer.port;
  record.took = Steady::now() - record.begun;
  record.ended = std::chrono::system_clock::now();
  context_.answered.add(std::move(record));
}

void AccessTrail::ended() {
  while (!open_.empty()) closed();
}

}  // namespace httpuv::server
