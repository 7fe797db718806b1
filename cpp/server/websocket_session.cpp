#include "server/websocket_session.h"

#include <algorithm>
#include <utility>

#include "server/connection.h"
#include "websocket/prepared_message.h"

namespace httpuv::server {

namespace {

// Compressing more than this would hold up the other connections of the loop.
constexpr std::size_t kCompressHere = 32 * 1024;

// What a message costs beyond its bytes, so that many small ones count, too.
constexpr std::size_t kMessageCost = 64;

// Frames up to here are gathered with others; larger ones go out by themselves.
constexpr std::size_t kGather = 16 * 1024;

}  // namespace

struct WebSocketSession::Outgoing {
  websocket::PreparedMessage message;
  bool compress;
  bool ready = true;
};

WebSocketSession::WebSocketSession(Context& context, Connection& connection,
                                   websocket::Session&& session)
    : context_(context), connection_(connection), session_(std::move(session)) {}

WebSocketSession::~WebSocketSession() { context_.topics.leave_all(subscriptions_); }

void WebSocketSession::start() {
  last_heard_ = context_.loop.now_ms();
  written_before_ = connection_.stream().bytes_written();
  const std::int64_t interval = context_.limits.ws_ping_interval;
  set_deadline(last_heard_ + (interval > 0 ? interval : context_.limits.write_timeout));
  connection_.stream().start_reading();
}

// --- in -----------------------------------------------------------------------------------------

void WebSocketSession::on_data(std::string_view bytes) {
  last_heard_ = context_.loop.now_ms();
  pinging_ = false;
  if (finishing_) return;
  if (held_.empty()) {
    read(bytes);
  } else {
    held_.append(bytes);
  }
}

void WebSocketSession::read(std::string_view input) {
  using websocket::Event;
  while (!finishing_ && !connection_.closing()) {
    if (unread_ > context_.limits.ws_max_unread) {
      // The application lags: what comes waits in the kernel, and the peer is slowed down.
      held_.assign(input);
      connection_.stream().stop_reading();
      return;
    }
    const Event event = session_.next(input);
    if (event == Event::kNeedMore) return;
    if (event == Event::kMessage) {
      message_received();
      continue;
    }
    session_.append_reply(context_.outbox.open(connection_));
    if (event == Event::kPong) {
      context_.events.emplace_back(WsPongEvent{connection_.id(), std::string(session_.payload())});
    } else if (event == Event::kClose) {
      end(session_.close_code(), session_.close_reason(), true);
      finish();
    } else if (event == Event::kError) {
      context_.counters.refused.add();
      end(websocket::close_code_of(session_.fault()), websocket::fault_text(session_.fault()),
          false);
      finish();
    }
  }
}

void WebSocketSession::message_received() {
  std::string data = session_.take_message();
  unread_ += data.size() + kMessageCost;
  context_.events.emplace_back(
      WsMessageEvent{connection_.id(), session_.is_text(), std::move(data)});
}

void WebSocketSession::consumed(std::size_t bytes) {
  unread_ -= std::min(bytes, unread_);
  if (unread_ > context_.limits.ws_max_unread || finishing_) return;
  if (!held_.empty()) {
    const std::string input = std::exchange(held_, {});
    read(input);
  }
  if (held_.empty() && !finishing_) connection_.stream().start_reading();
}

// --- out ----------------------------------------------------------------------------------------

bool WebSocketSession::make_room(std::size_t bytes) {
  if (queued() + bytes <= context_.limits.ws_max_queue) return true;
  switch (context_.settings.websocket.overflow) {
    case Overflow::kClose:
      close(websocket::kCloseTryAgainLater, "the peer does not read");
      break;
    case Overflow::kTell:
      context_.events.emplace_back(WsDroppedEvent{connection_.id()});
      break;
    case Overflow::kDrop:
      break;
  }
  return false;
}

std::size_t WebSocketSession::queued() const {
  return connection_.stream().queued() + waiting_bytes_;
}

void WebSocketSession::send(bool text, bool compress, std::string&& data) {
  if (!session_.is_open() || !make_room(data.size())) return;
  const bool compressed = compress && session_.would_compress(data.size());
  if (waiting_ == nullptr && data.size() <= kGather) {
    // The usual case: framed, and compressed if need be, right into what is about to be written.
    std::string& out = context_.outbox.open(connection_);
    session_.append_message(out, text, data, compress);
    return;
  }
  if (waiting_ == nullptr && !compressed) {
    char header[websocket::kMaxServerHeader];
    const std::size_t size = session_.message_header(header, text, data.size());
    context_.outbox.flush(connection_);
    connection_.write({header, size}, std::move(data));
    return;
  }
  auto message = std::make_shared<Outgoing>(
      Outgoing{websocket::PreparedMessage(text, data), compressed, true});
  if (compressed && data.size() > kCompressHere) {
    prepare(context_, message, session_.deflate_window_bits(), {connection_.id()});
  }
  enqueue(message);
}

void WebSocketSession::publish(Context& context, WsPublish&& message) {
  const std::vector<WebSocketSession*> subscribers = context.topics.subscribers(message.topic);
  if (subscribers.empty()) return;
  auto outgoing = std::make_shared<Outgoing>(Outgoing{
      websocket::PreparedMessage(message.text, message.data), message.compress, true});
  if (message.compress && message.data.size() > kCompressHere) {
    // The window nearly all of them have agreed on; the others' variants are made when they send.
    const auto wanted =
        std::find_if(subscribers.begin(), subscribers.end(),
                     [](const WebSocketSession* each) {
                       return each->session_.deflate_window_bits() != 0;
                     });
    if (wanted != subscribers.end()) {
      std::vector<ConnectionId> ids;
      ids.reserve(subscribers.size());
      for (const WebSocketSession* each : subscribers) ids.push_back(each->connection_.id());
      prepare(context, outgoing, (*wanted)->session_.deflate_window_bits(), std::move(ids));
    }
  }
  for (WebSocketSession* subscriber : subscribers) {
    if (subscriber->session_.is_open() && subscriber->make_room(message.data.size())) {
      subscriber->enqueue(outgoing);
    }
  }
}

// Compresses on a pool thread; those who wait for it send it, and what came behind it, afterwards.
void WebSocketSession::prepare(Context& context, const SharedOutgoing& message, int window_bits,
                               std::vector<ConnectionId> waiting) {
  message->ready = false;
  context.loop.work(
      [plain = message.get(), window_bits] {
        websocket::DeflatePool pool;
        plain->message.compressed(window_bits, pool);
      },
      [&context, message, waiting = std::move(waiting)] {
        message->ready = true;
        for (const ConnectionId& id : waiting) {
          Connection* const connection = context.connections.find(id);
          if (connection != nullptr && connection->websocket() != nullptr) {
            connection->websocket()->flush_ready();
          }
        }
      });
}

void WebSocketSession::enqueue(const SharedOutgoing& message) {
  if (waiting_ == nullptr && message->ready) return write(message);
  if (waiting_ == nullptr) waiting_ = std::make_unique<std::deque<SharedOutgoing>>();
  waiting_->push_back(message);
  waiting_bytes_ += message->message.payload_size();
}

void WebSocketSession::flush_ready() {
  while (waiting_ != nullptr && waiting_->front()->ready && !connection_.closing()) {
    const SharedOutgoing message = std::move(waiting_->front());
    waiting_->pop_front();
    waiting_bytes_ -= message->message.payload_size();
    if (waiting_->empty()) waiting_.reset();
    write(message);
  }
}

void WebSocketSession::write(const SharedOutgoing& message) {
  const std::string_view frame = session_.prepared_frame(message->message, message->compress);
  if (frame.size() <= kGather && !connection_.stream().busy()) {
    context_.outbox.open(connection_).append(frame);
    return;
  }
  context_.outbox.flush(connection_);
  connection_.write_shared(frame, message);
}

void WebSocketSession::ping(std::string_view payload) {
  session_.append_ping(context_.outbox.open(connection_), payload);
}

void WebSocketSession::subscribe(const std::string& topic, bool wanted) {
  if (!wanted) {
    context_.topics.leave(subscriptions_, topic);
  } else if (session_.is_open()) {
    context_.topics.join(*this, subscriptions_, topic);
  }
}

// --- ending -------------------------------------------------------------------------------------

void WebSocketSession::close(std::uint16_t code, std::string_view reason) {
  if (!session_.append_close(context_.outbox.open(connection_), code, reason)) return;
  context_.topics.leave_all(subscriptions_);
  waiting_.reset();
  waiting_bytes_ = 0;
  // The peer's Close must be seen even if the application is behind with its messages.
  unread_ = 0;
  if (!held_.empty()) {
    const std::string input = std::exchange(held_, {});
    read(input);
  }
  if (finishing_) return;
  connection_.stream().start_reading();
  set_deadline(context_.loop.now_ms() + context_.limits.ws_close_timeout);
}

void WebSocketSession::drain() { close(websocket::kCloseGoingAway, "the server is stopping"); }

// Tells the application, once.
void WebSocketSession::end(std::uint16_t code, std::string_view reason, bool clean) {
  if (std::exchange(ended_, true)) return;
  context_.topics.leave_all(subscriptions_);
  context_.events.emplace_back(WsCloseEvent{connection_.id(), code, std::string(reason), clean});
}

// Both sides have said Close, or the protocol is broken: FIN behind what is still to be written.
void WebSocketSession::finish() {
  finishing_ = true;
  held_.clear();
  set_deadline(context_.loop.now_ms() + context_.limits.ws_close_timeout);
  fin_if_written();
}

void WebSocketSession::fin_if_written() {
  context_.outbox.flush(connection_);
  if (connection_.closing() || connection_.stream().busy()) return;
  connection_.stream().shutdown();
  connection_.stream().start_reading();
}

void WebSocketSession::on_eof() { connection_.close(); }

void WebSocketSession::on_gone() {
  end(session_.close_code(), session_.close_reason(), session_.was_clean());
}

void WebSocketSession::on_drained() {
  if (finishing_) return fin_if_written();
  context_.events.emplace_back(WsDrainEvent{connection_.id()});
}

// --- deadlines ----------------------------------------------------------------------------------

void WebSocketSession::set_deadline(std::int64_t at_ms) { connection_.set_deadline(at_ms); }

void WebSocketSession::on_deadline() {
  const Limits& limits = context_.limits;
  const std::int64_t now = context_.loop.now_ms();
  net::Stream& stream = connection_.stream();
  if (finishing_ || !session_.is_open()) return connection_.close();

  const bool stalled = stream.busy() && stream.bytes_written() == written_before_ &&
                       now - last_heard_ >= limits.write_timeout;
  const bool silent = pinging_ && now - ping_sent_ >= limits.ws_pong_timeout;
  if (stalled || silent) {
    context_.counters.timed_out.add();
    return connection_.reset();
  }
  written_before_ = stream.bytes_written();
  if (limits.ws_ping_interval <= 0) return set_deadline(now + limits.write_timeout);
  if (!pinging_ && now - last_heard_ >= limits.ws_ping_interval) {
    pinging_ = true;
    ping_sent_ = now;
    ping({});
  }
  const std::int64_t next_ping = std::max(last_heard_, ping_sent_) + limits.ws_ping_interval;
  set_deadline(pinging_ ? std::min(ping_sent_ + limits.ws_pong_timeout, now + limits.ws_ping_interval)
                        : next_ping);
}

}  // namespace httpuv::server
