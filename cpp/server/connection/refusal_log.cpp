#include "server/connection/refusal_log.h"

#include <string>

#include "server/connection/connection.h"
#include "server/connection/context.h"

namespace httpuv::server {

namespace {
constexpr int kMostASecond = 10;
}  // namespace

void RefusalLog::tell(Context& context, Connection& connection, int status, std::string_view reason,
                      std::string_view what) {
  context.metrics.refusals.count(status, reason);
  std::string why = std::to_string(status);
  why.append(": ").append(reason);
  tell(context, connection.peer(), what, why, " with ");
}

void RefusalLog::tell(Context& context, const net::Peer& peer, std::string_view what,
                      std::string_view reason) {
  tell(context, peer, what, reason, ": ");
}

void RefusalLog::tell(Context& context, const net::Peer& peer, std::string_view what,
                      std::string_view reason, std::string_view between) {
  const std::int64_t second = context.loop.now_ms() / 1000;
  if (second != second_) {
    second_ = second;
    told_ = 0;
  }
  if (++told_ > kMostASecond) return;
  std::string text = "refused ";
  text += what;
  if (!peer.address.empty()) {
    text.append(" of ").append(peer.address).append(" port ").append(std::to_string(peer.port));
  }
  text.append(between).append(reason);
  context.events.emplace_back(NoticeEvent{NoticeLevel::kDebug, std::move(text)});
}

}  // namespace httpuv::server
