// The sending half of a WebSocketSession: its own and published messages are framed and compressed
// here or in a lane, and sent in order, within the bounds of unread bytes.
#include <algorithm>
#include <utility>

#include "base/spare_strings.h"
#include "server/connection/connection.h"
#include "server/websocket/websocket_backlog.h"
#include "server/websocket/websocket_session.h"

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
  return make_room(bytes, context_.settings.websocket.overflow, nullptr);
}

bool WebSocketSession::make_room(std::size_t bytes, Overflow policy, Topic* topic) {
  std::size_t waiting = queued();
  if (backlog_ != nullptr) waiting += backlog_->messages.size() * kWsMessageCost;
  if (waiting == 0) return true;
  if (waiting + bytes <= context_.limits.ws_max_queue && !context_.budget.full()) return true;
  overflow(policy, topic);
  return false;
}

void WebSocketSession::overflow() {
  overflow(context_.settings.websocket.overflow, nullptr);
}

void WebSocketSession::overflow(Overflow policy, Topic* topic) {
  if (!may_send()) return;
  context_.metrics.ws_dropped.add();
  if (topic != nullptr) {
    topic->count_dropped(1);
    context_.counters.topic_dropped.add();
    if (policy == Overflow::kClose) context_.counters.topic_closed.add();
  }
  switch (policy) {
    case Overflow::kClose:
      close_unasked(websocket::kCloseTryAgainLater, "the peer does not read");
      break;
    case Overflow::kTell:
      tell_dropped();
      break;
    case Overflow::kDrop:
    case Overflow::kLatest:
      // Once until it has read all: that is enough to know.
      if (topic != nullptr && topic->overflow() && !std::exchange(behind_, true)) {
        tell_dropped();
      }
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

void WebSocketSession::send(bool text, bool compress, WsData&& data) {
  const std::string_view bytes = bytes_of(data);
  sent_ += bytes.size();
  context_.metrics.ws_sent.add();
  if (!may_send() || !make_room(bytes.size())) return;
  const bool compressed = compress && session_.would_compress(bytes.size());
  if (backlog_ == nullptr && bytes.size() <= kGather) {
    // The usual case: framed, and compressed if need be, right into what is about to be written.
    std::string& out = context_.outbox.open(connection_);
    session_.append_message(out, text, bytes, compress);
    return;
  }
  if (backlog_ == nullptr && !compressed) {
    char header[websocket::kMaxServerHeader];
    const std::size_t size = session_.message_header(header, text, bytes.size());
    context_.outbox.flush(connection_);
    if (const auto* const borrowed = std::get_if<base::Borrowed>(&data)) {
      return connection_.write_borrowed({header, size}, *borrowed);
    }
    auto& own = std::get<std::string>(data);
    connection_.write({header, size}, std::move(own));
    base::spare_strings().give(std::move(own));  // it is still here if the socket took all
    return;
  }
  auto message = std::make_shared<Outgoing>(text, bytes, compressed);
  message->charge = context_.budget.charge(Held::kMessagesOut, cost_of(*message));
  if (compressed && bytes.size() > kCompressHere) {
    prepare(context_, lane_of(connection_.id()), message, {session_.deflate_window_bits()});
  }
  enqueue(message);
}

void WebSocketSession::compress_large(Context& context, const SharedPublication& message,
                                      const std::vector<WebSocketSession*>& subscribers) {
  if (!message->compress || message->message.payload_size() <= kCompressHere) return;
  std::vector<int> windows;  // that the subscribers have agreed on: a few at most
  for (const WebSocketSession* each : subscribers) {
    const int bits = each->session_.deflate_window_bits();
    const bool known = std::find(windows.begin(), windows.end(), bits) != windows.end();
    if (bits != 0 && !known) windows.push_back(bits);
  }
  if (!windows.empty()) prepare(context, kSharedLane, message, std::move(windows));
}

void WebSocketSession::publish(Context& context, Topic& topic,
                               const std::vector<SharedPublication>& messages) {
  std::vector<WebSocketSession*> subscribers;
  context.insist([&] { subscribers = Topics::sessions(topic); });
  if (subscribers.empty()) return;
  // Without memory for it they are sent as they are, one by one.
  context.guarded([&] {
    for (const SharedPublication& each : messages) compress_large(context, each, subscribers);
  });
  context.metrics.ws_sent.add(messages.size() * subscribers.size());
  // One subscriber's may be gathered with what else it gets.
  SharedBytes together;
  if (subscribers.size() > 1) {
    context.guarded([&] {
      together = joined(context, messages, std::min(kJoin, context.limits.ws_max_queue));
    });
  }
  for (WebSocketSession* subscriber : subscribers) {
    subscriber->connection_.guarded([&] { subscriber->send_published(topic, messages, together); });
  }
}

// Their plain frames, one behind the other; nothing if these are more than that.
WebSocketSession::SharedBytes WebSocketSession::joined(Context& context,
                                                       const std::vector<SharedPublication>& all,
                                                       std::size_t most) {
  std::size_t size = 0;
  for (const SharedPublication& each : all) size += each->message.plain().size();
  if (size > most) return nullptr;
  auto together = std::make_shared<Together>();
  together->bytes.reserve(size);
  for (const SharedPublication& each : all) together->bytes.append(each->message.plain());
  together->charge = context.budget.charge(Held::kMessagesOut, sizeof(Together) + size);
  return together;
}

void WebSocketSession::send_published(Topic& topic, const std::vector<SharedPublication>& all,
                                      const SharedBytes& together) {
  if (!may_send()) return;
  const Overflow policy = topic.overflow().value_or(context_.settings.websocket.overflow);
  if (policy == Overflow::kLatest) {
    context_.outbox.flush(connection_);
    if (queued() > 0) return wait_with_latest(topic, all);
  }
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
  for (const SharedPublication& each : all) {
    if (may_send() && make_room(each->message.payload_size(), policy, &topic)) enqueue(each);
  }
}

// The peer is behind: of all messages of the topic that come meanwhile it gets the last.
void WebSocketSession::wait_with_latest(Topic& topic,
                                        const std::vector<SharedPublication>& messages) {
  if (latest_ == nullptr) latest_ = std::make_unique<Latest>();
  const bool replaced = latest_->put(topic, messages.back());
  const std::size_t dropped = messages.size() - 1 + (replaced ? 1 : 0);
  if (dropped == 0) return;
  topic.count_dropped(dropped);
  context_.counters.topic_dropped.add(dropped);
  if (!std::exchange(behind_, true)) tell_dropped();
}

void WebSocketSession::send_latest() {
  if (backlog_ != nullptr) return;  // flush_ready() comes back
  for (const auto& [topic, message] : std::exchange(latest_, nullptr)->take()) {
    if (may_send()) enqueue(message);
  }
}

void WebSocketSession::reset_topic(Context& context, const Topic& topic) {
  for (WebSocketSession* each : Topics::sessions(topic)) {
    each->connection_.guarded([&] {
      context.events.emplace_back(
          WsResetEvent{each->connection_.id(), topic.name(), topic.position()});
    });
  }
}

// Compresses in a lane; the sockets that wait for it send it, and what came behind it, afterwards.
void WebSocketSession::prepare(Context& context, std::uint64_t lane, const SharedOutgoing& message,
                               std::vector<int> windows) {
  struct Job {
    SharedOutgoing message;
    websocket::SlicedCompression compression;
  };
  auto job = std::make_shared<Job>(Job{message, {message->message, std::move(windows)}});
  // Another thread may destroy the job, and with it the message: the charge stays with the loop.
  auto charge = std::make_shared<base::Charge>(std::move(message->charge));
  context.loop.compute(
      lane, [job] { return job->compression.compress(); },
      [&context, message, charge](bool ran) {
        message->ready = true;
        message->charge = std::move(*charge);
        if (!ran) message->compress = false;
        message->charge.resize(cost_of(*message));
        for (const ConnectionId& id : std::exchange(message->waiting, {})) {
          with_websocket(context, id, [](WebSocketSession& session) { session.flush_ready(); });
        }
      });
  message->ready = false;  // it is done in a later turn, if there was memory for it at all
}

void WebSocketSession::enqueue(const SharedOutgoing& message) {
  if (backlog_ == nullptr && message->ready) return write(message);
  if (backlog_ == nullptr) backlog_ = std::make_unique<Backlog>();
  if (!message->ready) message->waiting.push_back(connection_.id());
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
  if (latest_ != nullptr && !connection_.stream().busy()) send_latest();
  report_if_taken();
}

void WebSocketSession::write(const SharedOutgoing& message) {
  // One that was compressed when it was published, or is short: else it would hold up the loop.
  const bool cheap = message->message.payload_size() <= kCompressHere ||
                     message->message.is_made(session_.deflate_window_bits());
  const std::string_view frame =
      session_.prepared_frame(message->message, message->compress && cheap);
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

void WebSocketSession::subscribe(WsSubscribe&& command) {
  if (!command.wanted) {
    if (Topic* const topic = context_.topics.find(command.topic)) {
      if (latest_ != nullptr) latest_->forget(*topic);
      Topics::unpark(*topic, connection_.id());
    }
    return context_.topics.leave(subscriptions_, command.topic);
  }
  std::optional<Joined> result;
  if (may_send()) {
    Topic& topic = context_.topics.open(command.topic, &command.hold);
    const bool behind = command.since && topic.is_behind(*command.since);
    if (!topic.loaded() || (behind && context_.settings.topics.brokered && !command.asked)) {
      command.asked = topic.loaded();
      return context_.topics.park(topic, std::move(command), context_.connections);
    }
    result = replay(topic, command);
    context_.topics.join(topic, subscriptions_);
  }
  if (command.answer) command.answer->set_value(std::move(result));
}

// What it missed, whatever else waits for it: the history's bounds are its bounds, and the bytes
// are shared. A client that has already joined misses nothing.
std::optional<Joined> WebSocketSession::replay(const Topic& topic, const WsSubscribe& command) {
  Joined joined{topic.position(), false};
  if (Topics::is_member(topic, subscriptions_)) {
    joined.recovered = true;
    return joined;
  }
  if (command.since) {
    joined.recovered = topic.reaches(*command.since);
  } else if (command.history) {
    joined.recovered = topic.whole();
  }
  if (!joined.recovered && !command.history) return joined;
  for (const SharedPublication& each : topic.since(command.since ? command.since->offset : 0)) {
    enqueue(each);
  }
  return joined;
}

void WebSocketSession::leave_all() {
  latest_.reset();
  context_.topics.leave_all(subscriptions_);
}

}  // namespace httpuv::server
