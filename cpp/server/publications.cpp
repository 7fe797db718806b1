#include "server/publications.h"

#include <utility>

#include "server/connection.h"
#include "server/websocket_session.h"

namespace httpuv::server {

namespace {

constexpr std::int64_t kMostMs = 2;

// More than this gains nothing: a write of so much costs what it copies.
constexpr std::size_t kMostBytes = std::size_t{64} * 1024;

}  // namespace

void Publications::add(WsPublish&& message) {
  if (!messages_.empty() && message.topic != messages_.front().topic) send();
  if (messages_.empty()) since_ms_ = context_.loop.now_ms();
  bytes_ += message.data.size();
  messages_.push_back(std::move(message));
  if (bytes_ >= kMostBytes) send();
}

void Publications::send() {
  if (messages_.empty()) return;
  // Out of reach: who is closed for not reading may say its last word, which comes back here.
  const std::vector<WsPublish> messages = std::exchange(messages_, {});
  bytes_ = 0;
  WebSocketSession::publish(context_, messages);
}

bool Publications::end_turn(bool brought_events, bool application_idle) {
  if (messages_.empty()) return false;
  const bool old = context_.loop.now_ms() - since_ms_ >= kMostMs;
  if (!old && !application_idle) return false;  // the loop looks for mail soon
  if (!old && brought_events) {
    context_.loop.run_next_turn(*this);
    return false;
  }
  send();
  return true;
}

}  // namespace httpuv::server
