#include "server/websocket/websocket_session.h"

#include <algorithm>
#include <utility>

#include "base/spare_strings.h"
#include "server/connection/connection.h"
#include "server/websocket/websocket_backlog.h"

namespace httpuv::server {

namespace {

// Beyond this size of the queue pings are answered later, and only the last one (RFC 6455 section
// 5.5.3), so that a peer that pings and does not read uses no memory.
constexpr std::size_t kPongBacklog = 64 * 1024;

}  // namespace

WebSocketSession::WebSocketSession(Context& context, Connection& connection,
                                   websocket::Session&& session, base::Charge&& head)
    : context_(context),
      connection_(connection),
      session_(std::move(session)),
      head_(std::move(head)),
      in_(context.budget.charge(Held::kMessagesIn)),
      partial_(context.budget.charge(Held::kMessagesIn)) {}

WebSocketSession::~WebSocketSession() {
  leave_all();
}

void WebSocketSession::start() {
  connection_.stream().charge_to(context_.budget, Budget::kind_of(Held::kMessagesOut));
  heard();
  last_progress_ = last_heard_;
  written_before_ = connection_.stream().bytes_written();
  set_deadline();
  connection_.stream().start_reading();
}

// --- in -----------------------------------------------------------------------------------------

void WebSocketSession::heard() {
  last_heard_ = context_.loop.now_ms();
  pinging_ = false;
}

// Into the message itself if a long one is under way, else into a block that a long one may keep.
std::span<char> WebSocketSession::read_into() {
  if (!finishing_ && held_.empty()) {
    if (const std::span<char> room = session_.read_into(); !room.empty()) {
      count_partial();
      return room;
    }
  }
  std::string& block = context_.ws_block;
  if (block.empty()) block = base::spare_strings().take_whole();
  return block;
}

void WebSocketSession::on_data(std::string_view bytes) {
  heard();
  if (finishing_) return;
  if (held_.empty() && !waiting()) {
    read(bytes, bytes.data() == context_.ws_block.data() ? &context_.ws_block : nullptr);
  } else {
    held_.append(bytes);
    count_partial();
  }
}

void WebSocketSession::read(std::string_view input, std::string* block) {
  take(input, block);
  count_partial();
}

// Of a message only its end tells that it is one, so a peer may have us keep parts of one for long.
void WebSocketSession::count_partial() {
  const std::size_t bytes = finishing_ ? 0 : held_.size() + session_.buffered();
  if (bytes == partial_.bytes()) return;
  if (bytes > partial_.bytes() && !context_.budget.fits(bytes - partial_.bytes()) &&
      !connection_.closing()) {
    context_.counters.overloaded.add();
    return connection_.fail();
  }
  partial_.resize(bytes);
}

// What may wait for the application before reading stops; less where memory is used up.
std::size_t WebSocketSession::most_unread() const {
  const std::size_t most = context_.limits.ws_max_unread;
  return context_.budget.full() ? most / 4 : most;
}

void WebSocketSession::take(std::string_view input, std::string* block) {
  using websocket::Event;
  while (!finishing_ && !connection_.closing()) {
    if (unread_ > 0 && unread_ > most_unread()) return pause(input);
    switch (session_.next(input, block)) {
      case Event::kNeedMore:
        return;
      case Event::kPause:
        return wait_turn(input);
      case Event::kMessage:
        message_received();
        break;
      case Event::kPing:
        answer_ping();
        break;
      case Event::kPong:
        pong_received();
        break;
      case Event::kError:
        context_.counters.refused.add();
        context_.refusals.tell(context_, connection_, websocket::close_code_of(session_.fault()),
                               websocket::fault_text(session_.fault()), "a WebSocket message");
        return last_word();
      case Event::kClose:
        return last_word();
    }
  }
}

// Close came, or the peer broke the protocol. Earlier messages are answered before we close.
void WebSocketSession::last_word() {
  context_.gathered->send();
  concluding_ = true;
  if (session_.close_sent() || unread_ == 0) return conclude();
  context_.events.emplace_back(WsLastEvent{connection_.id()});
  set_deadline();
}

// The application lags: what comes waits in the kernel, and the peer is slowed down.
void WebSocketSession::pause(std::string_view rest) {
  held_.assign(rest);
  paused_ = true;
  connection_.stream().stop_reading();
}

// Inflating goes on when the other connections have had their turn.
void WebSocketSession::wait_turn(std::string_view rest) {
  held_.assign(rest);
  connection_.stream().stop_reading();
  context_.loop.run_next_turn(*this);
}

void WebSocketSession::run_turn() noexcept {
  if (connection_.closing()) return;
  connection_.guarded([this] {
    const std::string input = std::exchange(held_, {});
    read(input);
    if (!paused_ && !waiting() && !finishing_ && !connection_.closing()) {
      connection_.stream().start_reading();
    }
  });
}

void WebSocketSession::message_received() {
  WsMessageEvent event{connection_.id(), session_.is_text(), session_.take_message()};
  if (partial_.bytes() > 0) count_partial();  // it was that; nothing counts twice
  context_.metrics.ws_received.add();
  unread_ += cost_of(event);
  in_.grow(cost_of(event));
  context_.events.emplace_back(std::move(event));
}

void WebSocketSession::answer_ping() {
  if (connection_.stream().queued() <= kPongBacklog) {
    session_.append_reply(context_.outbox.open(connection_));
  } else if (may_send()) {
    late_pong_ = std::make_unique<std::string>(session_.payload());
  }
}

void WebSocketSession::pong_received() {
  if (!tell_pongs_) return;
  unread_ += session_.payload().size() + kWsMessageCost;
  in_.grow(session_.payload().size() + kWsMessageCost);
  context_.events.emplace_back(WsPongEvent{connection_.id(), std::string(session_.payload())});
}

void WebSocketSession::consumed(std::size_t bytes) {
  unread_ -= std::min(bytes, unread_);
  in_.resize(in_.bytes() - std::min<std::uint64_t>(bytes, in_.bytes()));
  // Not at once when one message fits again, or reading would stop after each.
  if (!paused_ || finishing_ || unread_ > context_.limits.ws_max_unread / 2) return;
  paused_ = false;
  heard();  // what it said waited for us
  const std::string input = std::exchange(held_, {});
  read(input);
  if (!paused_ && !waiting() && !finishing_ && !connection_.closing()) {
    connection_.stream().start_reading();
  }
}
// --- ending -------------------------------------------------------------------------------------

void WebSocketSession::close(std::uint16_t code, std::string_view reason) {
  if (!may_send()) return;
  leave_all();
  if (backlog_ != nullptr) {
    backlog_->farewell = Backlog::Farewell{code, std::string(reason)};
  } else {
    start_closing(code, reason);
  }
}

// The server closes, not the application, which is told at once: the end may be a while away.
void WebSocketSession::close_unasked(std::uint16_t code, std::string_view reason) {
  if (!may_send()) return;
  context_.events.emplace_back(WsClosingEvent{connection_.id(), code, std::string(reason)});
  close(code, reason);
}

void WebSocketSession::start_closing(std::uint16_t code, std::string_view reason) {
  if (!session_.append_close(context_.outbox.open(connection_), code, reason)) return;
  late_pong_.reset();
  // Only what the peer takes from now on is progress that moves the deadline.
  context_.outbox.flush(connection_);
  if (connection_.closing()) return;
  written_before_ = connection_.stream().bytes_written();
  set_deadline();
  // The peer's Close must be seen even if the application is behind with its messages.
  unread_ = 0;
  if (!std::exchange(paused_, false)) return;
  const std::string input = std::exchange(held_, {});
  read(input);
  if (!waiting() && !finishing_ && !connection_.closing()) connection_.stream().start_reading();
}

// Our Close frame, after the last messages of the application.
void WebSocketSession::conclude() {
  if (!concluding_ || finishing_) return;
  if (backlog_ != nullptr) {
    backlog_->conclude = true;
    return;
  }
  session_.append_reply(context_.outbox.open(connection_));  // unless we closed first
  const websocket::Fault fault = session_.fault();
  if (fault == websocket::Fault::kNone) {
    end(session_.close_code(), session_.close_reason(), true);
  } else {
    end(websocket::close_code_of(fault), websocket::fault_text(fault), false);
  }
  finish();
}

void WebSocketSession::drain() {
  if (finishing_) return fin_if_written();
  if (concluding_) return conclude();
  close_unasked(websocket::kCloseGoingAway, "the server is stopping");
}

// Tells the application, once.
void WebSocketSession::end(std::uint16_t code, std::string_view reason, bool clean) {
  if (std::exchange(ended_, true)) return;
  leave_all();
  context_.events.emplace_back(
      WsCloseEvent{connection_.id(), code, std::string(reason), clean, in_.share(), head_.share()});
}

// Both sides have sent Close, or the protocol is broken: FIN after the remaining data.
void WebSocketSession::finish() {
  finishing_ = true;
  held_.clear();
  count_partial();
  withdraw();
  backlog_.reset();
  late_pong_.reset();
  set_deadline();
  fin_if_written();
}

void WebSocketSession::fin_if_written() {
  context_.outbox.flush(connection_);
  if (connection_.closing() || connection_.stream().busy()) return;
  // With both Closes said, a server that is stopping need not see the peer's FIN, too.
  const bool done = context_.draining && session_.was_clean();
  if (done || connection_.stream().ended()) return connection_.close();
  connection_.stream().shutdown();
  connection_.stream().start_reading();
}

// Without a Close before it there is nothing to wait for (RFC 6455 section 7.1.4).
void WebSocketSession::on_eof() {
  if (!concluding_) {
    // What was said to it before is written first: answers in front of the 101, for instance.
    end(session_.close_code(), session_.close_reason(), session_.was_clean());
    return finish();
  }
  if (finishing_) fin_if_written();
}

void WebSocketSession::on_gone() {
  withdraw();
  end(session_.close_code(), session_.close_reason(), session_.was_clean());
}

void WebSocketSession::on_drained() {
  if (finishing_) return fin_if_written();
  behind_ = false;
  if (latest_ != nullptr) send_latest();
  if (const auto pong = std::move(late_pong_)) {
    session_.append_pong(context_.outbox.open(connection_), *pong);
  }
  if (backlog_ != nullptr) return;
  context_.events.emplace_back(WsDrainEvent{connection_.id()});
  report_if_taken();
}

// --- deadlines ----------------------------------------------------------------------------------

void WebSocketSession::set_deadline() {
  const Limits& limits = context_.limits;
  const std::int64_t now = context_.loop.now_ms();
  if (finishing_ || !session_.is_open()) {
    return connection_.set_deadline(now + limits.ws_close_timeout);
  }
  // Checked from time to time even without a deadline, to notice a peer that stops reading.
  std::int64_t next = now + limits.write_timeout;
  if (connection_.stream().busy()) next = last_progress_ + limits.write_timeout;
  if (limits.ws_ping_interval > 0) {
    // A sign of life moves no deadline: so that the next ping is not late, it is looked for then.
    const std::int64_t from = pinging_ ? now : std::max(last_heard_, ping_sent_);
    next = std::min(next, from + limits.ws_ping_interval);
  }
  if (pinging_) next = std::min(next, ping_sent_ + limits.ws_pong_timeout);
  connection_.set_deadline(std::max(next, now + 1));
}

void WebSocketSession::on_deadline() {
  const Limits& limits = context_.limits;
  const std::int64_t now = context_.loop.now_ms();
  net::Transport& stream = connection_.stream();
  const bool busy = stream.busy();
  const bool progress =
      stream.bytes_written() != std::exchange(written_before_, stream.bytes_written());
  if (progress || !busy) last_progress_ = now;
  if (finishing_ || !session_.is_open()) {
    // The Close may wait behind much that the peer is still reading.
    if (busy && progress) return set_deadline();
    if (concluding_ && !finishing_) {
      backlog_.reset();
      return conclude();  // without waiting for the application
    }
    return busy ? connection_.reset() : connection_.close();
  }
  // It takes what it is sent: alive. And while nothing is read, nothing can be heard.
  if ((busy && progress) || paused_ || waiting()) pinging_ = false;
  if (busy && progress) last_heard_ = now;

  const bool stalled = busy && now - last_progress_ >= limits.write_timeout;
  const bool silent = pinging_ && now - ping_sent_ >= limits.ws_pong_timeout;
  if (stalled || silent) {
    context_.counters.timed_out.add();
    return connection_.reset();
  }
  if (limits.ws_ping_interval > 0 && !pinging_ &&
      now - std::max(last_heard_, ping_sent_) >= limits.ws_ping_interval) {
    ping_sent_ = now;
    // Behind much else it would tell nothing; what the peer takes of that does.
    if (!busy) {
      session_.append_ping(context_.outbox.open(connection_), {});
      pinging_ = !paused_;
    }
  }
  set_deadline();
}

}  // namespace httpuv::server
