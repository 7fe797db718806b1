#include "server/live.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/errors.h"

namespace httpuv::server {

namespace {

// While the application is at work the loop looks for commands by itself this often: they are
// posted without waking the loop each time, and a callback that takes long must not hold up those
// that were made before, by it or by others.
constexpr int kMailCheckMs = 2;

// An application that has nothing else to do often answers a single event sooner than two threads
// can be put to sleep and woken; so the loop looks for its answer so long before it sleeps.
constexpr std::chrono::microseconds kLinger{30};

// How long a server that stops at once waits for its WebSockets' clients to close their ends.
constexpr std::int64_t kFarewellMs = 1000;

}  // namespace

Server::Live::Live(net::Loop& loop, const Settings& settings, Counters& counters,
                   base::Mailbox<Command>& mailbox, EventSink& sink)
    : mailbox_(mailbox),
      sink_(sink),
      context_{loop, settings, settings.limits, counters},
      files_(context_),
      publications_(context_),
      mail_ticker_(std::make_unique<net::Ticker>(loop, [this] { tick(); })) {
  context_.files = &files_;
  context_.publications = &publications_;
  context_.on_connection_closed = [this] { on_connection_closed(); };
  context_.clock.tick();
  context_.ws_options.max_message_bytes = settings.limits.ws_max_message;
  loop.on_wake = [this] { take_mail(); };
  loop.on_turn_end = [this] { end_turn(); };
}

int Server::Live::open(std::vector<net::ListenSocket>&& sockets) {
  for (net::ListenSocket& socket : sockets) {
    int error = 0;
    auto listener = net::Listener::open(
        context_.loop, std::move(socket),
        [this](net::Accepted&& accepted) { accept(std::move(accepted)); }, &error);
    if (listener == nullptr) return error;
    listener->on_overload = [this](int cause) {
      context_.counters.accept_failures.add();
      context_.events.emplace_back(
          NoticeEvent{NoticeLevel::kWarning, "cannot accept connections: " + error_text(cause) +
                                                 "; they wait until it is possible again"});
    };
    listeners_.push_back(std::move(listener));
  }
  return 0;
}

void Server::Live::set_routes(std::shared_ptr<const files::RouteTable> routes) {
  files_.set_routes(std::move(routes));
}

void Server::Live::run() {
  context_.loop.run();
  // What the last turn made: nobody is left to answer, but the application is told.
  if (!context_.events.empty()) sink_.deliver(context_.events);
  log();
}

void Server::Live::accept(net::Accepted&& accepted) {
  const ConnectionId id = context_.connections.reserve();
  auto connection = std::make_unique<Connection>(context_, id);
  Connection& opened = *connection;
  context_.connections.put(id, std::move(connection));
  context_.counters.accepted.add();
  context_.counters.connections.add();
  // Out of memory: the stream closes itself, and on_closed() takes the connection out again.
  if (opened.open(std::move(accepted)) != 0) return;
  if (context_.connections.size() >= context_.limits.max_connections) {
    for (const auto& listener : listeners_) listener->pause();
  }
}

void Server::Live::on_connection_closed() {
  if (context_.connections.size() < context_.limits.max_connections) {
    for (const auto& listener : listeners_) {
      if (listener->paused()) listener->resume();
    }
  }
  end_if_empty();
}

void Server::Live::take_mail() {
  if (!mailbox_.drain(mail_)) return watch_mail();
  context_.clock.tick();
  // Carrying a command out may take mail again (a stop does), so the batch is set aside.
  std::vector<Command> batch;
  batch.swap(mail_);
  for (Command& command : batch) carry_out(std::move(command));
  if (mail_.empty()) {
    batch.clear();
    mail_.swap(batch);  // keeps the capacity
  }
  write_out();
  if (!sink_.idle()) watch_mail();
}

// The application is at work: what it has published is not gathered for longer.
void Server::Live::tick() {
  take_mail();
  publications_.send();
  write_out();
}

// Looks by itself as long as the application is at work.
void Server::Live::watch_mail() {
  if (mail_ticker_ == nullptr) return;
  if (sink_.idle()) {
    mail_ticker_->stop();
  } else if (!mail_ticker_->active()) {
    mail_ticker_->start(kMailCheckMs);
  }
}

void Server::Live::close_broken() {
  while (!context_.broken.empty()) {
    const std::vector<ConnectionId> ids = std::exchange(context_.broken, {});
    for (const ConnectionId& id : ids) {
      if (Connection* const connection = context_.connections.find(id)) connection->close();
    }
  }
}

void Server::Live::write_out() {
  context_.outbox.flush();
  close_broken();
}

void Server::Live::end_turn() {
  if (ended_) return;
  const bool idle = sink_.idle();
  const std::size_t events = hand_over();
  if (events == 1 && idle) {
    await_answer();
  } else if (events > 0) {
    watch_mail();
  }
  if (ended_ || !publications_.end_turn(events > 0, sink_.idle())) return;
  write_out();
  if (hand_over() > 0) watch_mail();
}

// Once a turn: commands may make new events, and sockets and timers have to have their turn.
void Server::Live::await_answer() {
  const auto answered = [this] { return !mailbox_.empty(); };
  if (!answered() && !context_.loop.linger(kLinger, answered)) return watch_mail();
  take_mail();
  if (!ended_ && hand_over() > 0) watch_mail();
}

std::size_t Server::Live::hand_over() {
  context_.clock.tick();
  files_.end_turn();
  write_out();
  const std::size_t events = context_.events.size();
  if (events > 0) sink_.deliver(context_.events);
  log();
  return events;
}

void Server::Live::log() {
  if (!context_.answered.records().empty()) {
    sink_.log(std::exchange(context_.answered, context_.answered.next()));
  }
}

// What each command does. A connection that has gone makes its commands do nothing.
struct Server::Live::Carrier {
  Live& live;

  HttpSession* http(const ExchangeId& id) const {
    Connection* const connection = live.context_.connections.find(id.connection);
    return connection != nullptr && connection->websocket() == nullptr ? &connection->http()
                                                                       : nullptr;
  }
  WebSocketSession* websocket(const ConnectionId& id) const {
    Connection* const connection = live.context_.connections.find(id);
    return connection != nullptr ? connection->websocket() : nullptr;
  }

  void operator()(Respond&& c) const {
    Envelope& envelope = *c.envelope;
    if (auto* session = http(envelope.id)) {
      session->respond(envelope.id.sequence, std::move(envelope.head), std::move(envelope.answer));
    }
    live.context_.envelopes.give(std::move(c.envelope));
  }
  void operator()(Continue&& c) const {
    if (auto* session = http(c.id)) session->resume_request(c.id.sequence);
  }
  void operator()(BodyConsumed&& c) const {
    if (auto* session = http(c.id)) session->body_consumed(c.id.sequence, c.bytes);
  }
  void operator()(StreamHead&& c) const {
    if (auto* session = http(c.id)) {
      session->stream_head(std::move(c));
    }
  }
  void operator()(StreamData&& c) const {
    if (auto* session = http(c.id)) {
      session->stream_data(c.id.sequence, c.bytes, c.acknowledge);
    }
  }
  void operator()(StreamEnd&& c) const {
    if (auto* session = http(c.id)) session->stream_end(c.id.sequence, std::move(c.trailers));
  }
  void operator()(StreamFile&& c) const {
    if (auto* session = http(c.id)) session->stream_file(c.id.sequence, std::move(c.file));
  }
  void operator()(StreamRoom&& c) const {
    auto* const session = http(c.id);
    if (session == nullptr) return c.answer.set_value(false);
    session->stream_room(c.id.sequence, std::move(c.answer));
  }
  void operator()(Inform&& c) const {
    if (auto* session = http(c.id)) session->inform(c.id.sequence, c.head);
  }
  void operator()(WsAccept&& c) const {
    if (auto* session = http(c.id)) session->accept_websocket(std::move(c));
  }
  void operator()(Cut&& c) const {
    if (auto* session = http(c.id)) session->cut(c.id.sequence);
  }
  void operator()(WsSend&& c) const {
    if (auto* session = websocket(c.id)) session->send(c.text, c.compress, std::move(c.data));
  }
  void operator()(WsConsumed&& c) const {
    if (auto* session = websocket(c.id)) session->consumed(c.bytes);
  }
  void operator()(WsAcknowledge&& c) const {
    if (auto* session = websocket(c.id)) session->acknowledge();
  }
  void operator()(WsConclude&& c) const {
    if (auto* session = websocket(c.id)) session->conclude();
  }
  void operator()(WsPing&& c) const {
    if (auto* session = websocket(c.id)) session->ping(c.payload);
  }
  void operator()(WsClose&& c) const {
    if (auto* session = websocket(c.id)) session->close(c.code, c.reason);
  }
  void operator()(WsSubscribe&& c) const {
    if (auto* session = websocket(c.id)) session->subscribe(c.topic, c.wanted);
  }
  void operator()(WsPublish&& c) const { live.publications_.add(std::move(c)); }
  void operator()(WsQueued&& c) const {
    const auto* const session = websocket(c.id);
    c.answer.set_value(session != nullptr ? session->queued() : 0);
  }
  void operator()(IsPresent&& c) const {
    auto* const session = http(c.id);
    c.answer.set_value(session != nullptr && session->present(c.id.sequence));
  }
  void operator()(SetRoutes&& c) const {
    live.set_routes(std::move(c.routes));
    c.done.set_value();
  }
  void operator()(Stop&& c) const { live.stop(c.grace_ms); }
};

void Server::Live::carry_out(Command&& command) {
  if (!std::holds_alternative<WsPublish>(command)) publications_.send();
  std::visit(Carrier{*this}, std::move(command));
}

// What is still waiting when the server has ended: nothing is done, but nobody waits in vain.
void Server::Live::answer_late(Command& command) {
  if (auto* routes = std::get_if<SetRoutes>(&command)) routes->done.set_value();
  if (auto* queued = std::get_if<WsQueued>(&command)) queued->answer.set_value(0);
  if (auto* present = std::get_if<IsPresent>(&command)) present->answer.set_value(false);
  if (auto* room = std::get_if<StreamRoom>(&command)) room->answer.set_value(false);
}

// WebSockets are told in any case, and have a moment to answer.
void Server::Live::stop(std::int64_t grace_ms) {
  listeners_.clear();
  context_.draining = true;
  context_.connections.each([grace_ms](Connection& connection) {
    if (grace_ms > 0 || connection.websocket() != nullptr) {
      connection.drain();
    } else {
      connection.close();
    }
  });
  grace_.set(context_.loop.timers(),
             context_.loop.now_ms() + std::max<std::int64_t>(grace_ms, kFarewellMs));
  end_if_empty();
}

void Server::Live::close() {
  listeners_.clear();
  close_connections();
  end_if_empty();
}

void Server::Live::close_connections() {
  context_.connections.each([](Connection& connection) { connection.close(); });
}

void Server::Live::end_if_empty() {
  if (ended_ || !listeners_.empty() || context_.connections.size() != 0) return;
  ended_ = true;
  grace_.clear();
  mail_ticker_.reset();
  std::vector<Command> rest;
  mailbox_.close(rest);
  for (Command& command : rest) answer_late(command);
  context_.loop.finish();
}

void Server::Live::on_deadline(net::Deadline&) {
  close_connections();
}

}  // namespace httpuv::server
