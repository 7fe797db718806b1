#include "server/refusal_log.h"

#include <string>

#include "server/connection.h"
#include "server/context.h"

namespace httpuv::server {

namespace {
constexpr int kMostASecond = 10;
}  // namespace

void RefusalLog::tell(Context& context, net::Transport& stream, int status,
                      std::string_view reason) {
  const std::int64_t second = context.loop.now_ms() / 1000;
  if (second != second_) {
    second_ = second;
    told_ = 0;
  }
  if (++told_ > kMostASecond) return;
  const net::Peer& peer = stream.peer();
  std::string text = "refused a request";
  if (!peer.address.empty()) {
    text.append(" of ").append(peer.address).append(" port ").append(std::to_string(peer.port));
  }
  text.append(" with ").append(std::to_string(status)).append(": ").append(reason);
  context.events.emplace_back(NoticeEvent{NoticeLevel::kDebug, std::move(text)});
}

}  // namespace httpuv::server
