#include "server/refusal_log.h"

#include <string>

#include "server/connection.h"
#include "server/context.h"

namespace httpuv::server {

namespace {
constexpr int kMostASecond = 10;
}  // namespace

void RefusalLog::tell(Context& context, Connection& connection, int status, std::string_view reason,
                      std::string_view what) {
  context.metrics.refusals.count(status, reason);
  const std::int64_t second = context.loop.now_ms() / 1000;
  if (second != second_) {
    second_ = second;
    told_ = 0;
  }
  if (++told_ > kMostASecond) return;
  const net::Peer& peer = connection.peer();
  std::string text = "refused ";
  text.append(what);
  if (!peer.address.empty()) {
    text.append(" of ").append(peer.address).append(" port ").append(std::to_string(peer.port));
  }
  text.append(" with ").append(std::to_string(status)).append(": ").append(reason);
  context.events.emplace_back(NoticeEvent{NoticeLevel::kDebug, std::move(text)});
}

}  // namespace httpuv::server
