#include "server/http/exchange/streamed.h"

#include <utility>

#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/responders/stream_responder.h"

namespace httpuv::server {

Silence::Silence(HttpSession& http, std::uint32_t sequence, Filler&& filler)
    : http_(http), sequence_(sequence), filler_(std::move(filler)) {}

void Silence::broken(net::Reactor& loop) {
  since_ = loop.now_ms();
  if (!deadline_.armed()) watch(loop);
}

bool Silence::over(net::Reactor& loop) {
  if (loop.now_ms() - since_ >= filler_.after_ms) return true;
  watch(loop);
  return false;
}

void Silence::on_deadline(net::Deadline&) noexcept {
  http_.connection().guarded([this] { StreamResponder(http_).fill(sequence_); });
}

void Rooms::answer(bool room) {
  for (base::Promised<bool>& each : std::exchange(waiting_, {})) each.set_value(room);
}

FeedPart::FeedPart(HttpSession& http, std::uint32_t sequence, std::unique_ptr<FeedRequest> request)
    : http_(http), sequence_(sequence), request_(std::move(request)) {}

FeedPart::~FeedPart() = default;

void FeedPart::begin(EventGroups& groups) {
  const std::unique_ptr<FeedRequest> request = std::move(request_);
  if (request != nullptr) feed_ = groups.start(*request, *this);
}

void FeedPart::drained() {
  if (feed_ != nullptr) feed_->drained();
}

void FeedPart::write(const std::shared_ptr<const EventText>& text) {
  StreamResponder(http_).fed(sequence_, text);
}

std::size_t FeedPart::queued() const {
  return http_.connection().stream().queued();
}

bool FeedPart::closing() const {
  return http_.connection().closing();
}

void FeedPart::cut() {
  http_.connection().fail();
}

void Streamed::keep(std::string_view bytes, bool acknowledge) {
  if (early.empty() || !std::holds_alternative<std::string>(early.back())) {
    early.emplace_back(std::string());
  }
  std::get<std::string>(early.back()).append(bytes);
  early_bytes += bytes.size();
  early_acknowledge |= acknowledge;
  count();
}

}  // namespace httpuv::server
