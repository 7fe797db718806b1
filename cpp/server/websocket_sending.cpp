// The sending half of a WebSocketSession: messages of its own and those that are published, framed
// and compressed here or in a lane, in order, within what the peer may leave unread.
#include <algorithm>
#include <utility>

#include "server/connection.h"
#include "server/websocket_backlog.h"
#include "server/websocket_session.h"

namespace httpuv::server {

namespace {

// Compressing more than this would hold up the other connections of the loop.
constexpr std::size_t kCompressHere = 32 * 1024;

// Frames up to here are gathered with others; larger ones go out by themselves.
constexpr std::size_t kGather = 16 * 1024;

// Published messages up to here are joined for all subscribers at once: what is gathered, with its
// headers.
constexpr std::size_t kJoin = 128 * 1024;

// From here on they are shared with subscribers that are behind; less is copied sooner than kept.
constexpr std::size_t kShare = 1024;

}  // namespace

bool WebSocketSession::may_send() const {
  return !session_.close_sent() && (backlog_ == nullptr || !backlog_->farewell);
}

// A message of any size may be sent to a peer that has read all before it.
bool WebSocketSession::make_room(std::size_t bytes) {
  std::size_t waiting = queued();
  if (backlog_ != nullptr) waiting += backlog_->messages.size() * kWsMessageCost;
  if (waiting == 0) return true;
  if (waiting + bytes <= context_.limits.ws_max_queue && !context_.budget.full()) return true;
  overflow();
  return false;
}

void WebSocketSession::overflow() {
  if (!may_send()) return;
  switch (context_.settings.websocket.overflow) {
    case Overflow::kClose:
      close_unasked(websocket::kCloseTryAgainLater, "the peer does not read");
      break;
    case Overflow::kTell:
      tell_dropped();
      break;
    case Overflow::kDrop:
      break;
  }
}

// One event for all that are dropped one behind the other. What the application cannot be told of
// because there is no memory for that, it is not told of.
void WebSocketSession::tell_dropped() {
  auto* const last =
      context_.events.empty() ? nullptr : std::get_if<WsDroppedEvent>(&context_.events.back());
  if (last != nullptr && last->id == connection_.id()) {
    ++last->count;
  } else if (context_.budget.fits(sizeof(Event))) {
    context_.events.emplace_back(WsDroppedEvent{
        connection_.id(), 1, context_.budget.charge(Held::kMessagesIn, sizeof(Event)).share()});
  }
}

std::size_t WebSocketSession::queued() const {
  return connection_.stream().queued() + (backlog_ != nullptr ? backlog_->bytes : 0);
}

void WebSocketSession::send(bool text, bool compress, std::string&& data) {
  sent_ += data.size();
  if (!may_send() || !make_room(data.size())) return;
  const bool compressed = compress && session_.would_compress(data.size());
  if (backlog_ == nullptr && data.size() <= kGather) {
    // The usual case: framed, and compressed if need be, right into what is about to be written.
    std::string& out = context_.outbox.open(connection_);
    session_.append_message(out, text, data, compress);
    return;
  }
  if (backlog_ == nullptr && !compressed) {
    char header[websocket::kMaxServerHeader];
    const std::size_t size = session_.message_header(header, text, data.size());
    context_.outbox.flush(connection_);
    connection_.write({header, size}, std::move(data));
    return;
  }
  auto message = std::make_shared<Outgoing>(
      Outgoing{websocket::PreparedMessage(text, data), compressed, true, {}});
  message->charge = context_.budget.charge(Held::kMessagesOut, cost_of(*message));
  if (compressed && data.size() > kCompressHere) {
    prepare(context_, lane_of(connection_.id()), message, {session_.deflate_window_bits()},
            {connection_.id()});
  }
  enqueue(message);
}

WebSocketSession::SharedOutgoing WebSocketSession::outgoing(
    Context& context, const WsPublish& message, const std::vector<WebSocketSession*>& subscribers) {
  auto outgoing = std::make_shared<Outgoing>(
      Outgoing{websocket::PreparedMessage(message.text, message.data), message.compress, true, {}});
  outgoing->charge = context.budget.charge(Held::kMessagesOut, cost_of(*outgoing));
  if (!message.compress || message.data.size() <= kCompressHere) return outgoing;
  std::vector<int> windows;  // that the subscribers have agreed on: a few at most
  std::vector<ConnectionId> ids;
  ids.reserve(subscribers.size());
  for (const WebSocketSession* each : subscribers) {
    ids.push_back(each->connection_.id());
    const int bits = each->session_.deflate_window_bits();
    const bool known = std::find(windows.begin(), windows.end(), bits) != windows.end();
    if (bits != 0 && !known) windows.push_back(bits);
  }
  if (windows.empty()) return outgoing;
  prepare(context, kSharedLane, outgoing, std::move(windows), std::move(ids));
  return outgoing;
}

void WebSocketSession::publish(Context& context, const std::vector<WsPublish>& messages) {
  const auto subscribers = context.topics.subscribers(messages.front().topic);
  if (subscribers.empty()) return;
  std::vector<SharedOutgoing> all;
  all.reserve(messages.size());
  for (const WsPublish& each : messages) all.push_back(outgoing(context, each, subscribers));
  // One subscriber's may be gathered with what else it gets.
  const SharedBytes together =
      subscribers.size() == 1 ? nullptr
                              : joined(context, all, std::min(kJoin, context.limits.ws_max_queue));
  for (WebSocketSession* subscriber : subscribers) subscriber->send_published(all, together);
}

// Their plain frames, one behind the other; nothing if these are more than that.
WebSocketSession::SharedBytes WebSocketSession::joined(Context& context,
                                                       const std::vector<SharedOutgoing>& all,
                                                       std::size_t most) {
  std::size_t size = 0;
  for (const SharedOutgoing& each : all) size += each->message.plain().size();
  if (size > most) return nullptr;
  auto together = std::make_shared<Together>();
  together->bytes.reserve(size);
  for (const SharedOutgoing& each : all) together->bytes.append(each->message.plain());
  together->charge = context.budget.charge(Held::kMessagesOut, sizeof(Together) + size);
  return together;
}

void WebSocketSession::send_published(const std::vector<SharedOutgoing>& all,
                                      const SharedBytes& together) {
  if (!may_send()) return;
  // The usual case: the peer has read all before, and gets the same bytes as all others.
  if (together != nullptr && session_.deflate_window_bits() == 0 && backlog_ == nullptr) {
    context_.outbox.flush(connection_);
    // One that is behind shares the bytes, too, as long as all of them fit.
    const std::size_t waiting = queued();
    const bool fits =
        waiting == 0 || (together->bytes.size() >= kShare &&
                         waiting + together->bytes.size() <= context_.limits.ws_max_queue &&
                         !context_.budget.full());
    if (fits) return connection_.write_shared({}, together->bytes, together);
  }
  for (const SharedOutgoing& each : all) {
    if (may_send() && make_room(each->message.payload_size())) enqueue(each);
  }
}

// Compresses in a lane; the sockets that wait for it send it, and what came behind it, afterwards.
void WebSocketSession::prepare(Context& context, std::uint64_t lane, const SharedOutgoing& message,
                               std::vector<int> windows, std::vector<ConnectionId> waiting) {
  struct Job {
    SharedOutgoing message;
    websocket::SlicedCompression compression;
  };
  auto job = std::make_shared<Job>(Job{message, {message->message, std::move(windows)}});
  // Another thread may destroy the job, and with it the message: the charge stays with the loop.
  auto charge = std::make_shared<base::Charge>(std::move(message->charge));
  message->ready = false;
  context.loop.compute(
      lane, [job] { return job->compression.compress(); },
      [&context, message, charge, waiting = std::move(waiting)](bool ran) {
        message->ready = true;
        message->charge = std::move(*charge);
        if (!ran) message->compress = false;
        message->charge.resize(cost_of(*message));
        for (const ConnectionId& id : waiting) {
          if (WebSocketSession* const session = websocket_of(context, id)) session->flush_ready();
        }
      });
}

void WebSocketSession::enqueue(const SharedOutgoing& message) {
  if (backlog_ == nullptr && message->ready) return write(message);
  if (backlog_ == nullptr) backlog_ = std::make_unique<Backlog>();
  backlog_->messages.push_back(message);
  backlog_->bytes += message->message.payload_size();
}

void WebSocketSession::flush_ready() {
  if (backlog_ == nullptr) return;
  std::deque<SharedOutgoing>& messages = backlog_->messages;
  while (!messages.empty() && messages.front()->ready && !connection_.closing()) {
    const SharedOutgoing message = std::move(messages.front());
    messages.pop_front();
    backlog_->bytes -= message->message.payload_size();
    write(message);
  }
  if (!messages.empty() || connection_.closing()) return;
  const std::unique_ptr<Backlog> done = std::move(backlog_);
  if (done->farewell) start_closing(done->farewell->code, done->farewell->reason);
  if (done->conclude) return conclude();
  report_if_taken();
}

void WebSocketSession::write(const SharedOutgoing& message) {
  const std::string_view frame = session_.prepared_frame(message->message, message->compress);
  if (frame.data() != message->message.plain().data()) {
    message->charge.resize(cost_of(*message));  // a compressed frame may have been made just now
  }
  if (frame.size() <= kGather && !connection_.stream().busy()) {
    context_.outbox.open(connection_).append(frame);
    return;
  }
  context_.outbox.flush(connection_);
  connection_.write_shared({}, frame, message);
}

void WebSocketSession::ping(std::string_view payload) {
  if (!may_send() || !make_room(payload.size())) return;
  tell_pongs_ = true;
  session_.append_ping(context_.outbox.open(connection_), payload);
}

void WebSocketSession::acknowledge() {
  acknowledge_ = true;
  report_if_taken();
}

void WebSocketSession::report_if_taken() {
  if (!acknowledge_ || backlog_ != nullptr) return;
  context_.outbox.flush(connection_);
  if (connection_.closing() || connection_.stream().busy()) return;  // on_drained() comes back
  acknowledge_ = false;
  context_.events.emplace_back(WsTakenEvent{connection_.id(), sent_});
}

void WebSocketSession::subscribe(const std::string& topic, bool wanted) {
  if (!wanted) {
    context_.topics.leave(subscriptions_, topic);
  } else if (may_send()) {
    context_.topics.join(*this, subscriptions_, topic);
  }
}

}  // namespace httpuv::server
