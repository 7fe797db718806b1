#include "server/access_trail.h"

#include <utility>

#include "server/connection.h"

namespace httpuv::server {

namespace {

constexpr std::size_t kMostUntold = 10'000;

}  // namespace

void AccessTrail::opened(const http::RequestHead* head) {
  auto record = std::make_unique<AccessRecord>();
  record->begun = AccessRecord::Clock::now();
  if (head != nullptr) {
    record->method = head->view(head->method);
    record->target = head->view(head->target);
    record->minor_version = head->minor_version;
    record->referer = head->get(http::Field::kReferer);
    record->user_agent = head->get(http::Field::kUserAgent);
  }
  open_.push_back(std::move(record));
}

void AccessTrail::answered(int status, std::uint64_t bytes) {
  open_.front()->status = status;
  open_.front()->bytes = bytes;
}

void AccessTrail::sent(std::uint64_t bytes) {
  open_.front()->bytes += bytes;
}

void AccessTrail::closed() {
  std::unique_ptr<AccessRecord> record = std::move(open_.front());
  open_.erase(open_.begin());
  if (context_.untold->load(std::memory_order_relaxed) >= kMostUntold) {
    ++context_.skipped_records;
    return;
  }
  const net::Peer& peer = connection_.stream().peer();
  record->remote_address = peer.address;
  record->remote_port = peer.port;
  record->ended = AccessRecord::Clock::now();
  record->skipped = std::exchange(context_.skipped_records, 0);
  record->untold = UntoldRecord(context_.untold);
  context_.events.emplace_back(AnsweredEvent{connection_.id(), std::move(record)});
}

void AccessTrail::ended() {
  while (!open_.empty()) closed();
}

}  // namespace httpuv::server
