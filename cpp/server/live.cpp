#include "server/live.h"

#include <algorithm>
#include <utility>

#include "files/disk/stamp.h"
#include "net/stream/stream.h"
#include "net/tls/tls_stream.h"
#include "server/commands.h"
#include "server/connection/turn.h"
#include "server/http/http_session.h"
#include "server/proxy_session.h"
#include "server/report/errors.h"

namespace httpuv::server {

namespace {

// While all connections are busy and new ones wait, it is looked this often whether one is idle.
constexpr std::int64_t kCrowdedMs = 100;

// So many turns may be taken to have nothing left to do; then another one is due at once.
constexpr int kMostSettling = 3;

// Connections of listeners for the operator.
constexpr std::size_t kMostAdmin = 100;

// A message is inflated in steps of this size, about a tenth of a millisecond, between which other
// connections are served.
constexpr std::size_t kInflateStep = 128 * 1024;

// How long a server that stops at once waits for its WebSockets' clients to close their ends.
constexpr std::int64_t kFarewellMs = 1000;

}  // namespace

Server::Live::Live(net::Loop& loop, const Settings& settings, MetricsMemory& metrics,
                   Budget& budget, Handoff& handoff, EventSink& sink, Place place,
                   Sequencer* sequencer)
    : loop_(loop),
      handoff_(handoff),
      sink_(sink),
      context_{
          loop,       settings, settings.limits,
          metrics,    budget,   {settings.spool_folder, files::device_of(settings.spool_folder)},
          place.index},
      files_(context_),
      tls_(TlsEvents::make(context_)),
      publications_(context_),
      event_groups_(context_),
      idle_(context_),
      place_(place) {
  handoff.open(loop, *this);
  handoff.on_look = [this] { look(); };
  context_.budget.count_log(context_.answered.backlog());
  context_.team = place.team;
  context_.connections.set_worker(place.index);
  context_.sink = &sink;
  context_.files = &files_;
  context_.gathered = &publications_;
  context_.event_groups = &event_groups_;
  context_.topics.use(sequencer);
  context_.on_connection_closed = [this] { on_connection_closed(); };
  context_.clock.tick();
  context_.ws_options.max_message_bytes = settings.limits.ws_max_message;
  context_.ws_options.inflate_step = kInflateStep;
  context_.observers.push_back(&exchange_meter_);
  loop.on_no_memory = [this] { context_.without_memory(); };
  loop.on_wake = [this] { take_mail(); };
  // Right before the poll: a wake-up that a lingering loop has not taken would be missed.
  loop.on_turn_end = [this] { end_turn(false); };
}

int Server::Live::open(std::vector<net::ListenSocket>&& sockets, const std::vector<Door>& doors) {
  if (const int error = file_log_.start(); error != 0) return error;
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    const Door door = doors[i];
    int error = 0;
    auto listener = net::Listener::open(
        loop_, std::move(sockets[i]),
        [this, door](net::Accepted&& accepted) { accept(std::move(accepted), door); }, &error);
    if (listener == nullptr) return error;
    listener->on_overload = [this](int cause) {
      context_.counters.accept_failures.add();
      context_.events.emplace_back(NoticeEvent{
          NoticeLevel::kWarning, "cannot accept connections: " + error_text(cause) +
                                     "; until that works again they are closed or wait"});
    };
    (door.admin ? admin_listeners_ : listeners_).push_back(std::move(listener));
  }
  return 0;
}

void Server::Live::set_routes(std::shared_ptr<const files::RouteTable> routes) {
  files_.set_routes(std::move(routes));
}

void Server::Live::run() {
  handoff_.driver().guard();
  loop_.close();
  // What the last turn made: no client is left to answer, but the application is told.
  if (!context_.events.empty()) deliver();
  log();
  file_log_.end();
}

// Without memory for it the connections end that the events are of.
void Server::Live::deliver() noexcept {
  std::vector<Event>& events = context_.events;
  context_.guarded([&] {
    context_.waiting.handed(
        static_cast<std::size_t>(std::count_if(events.begin(), events.end(), waits)),
        loop_.now_ms());
  });
  if (context_.insist([&] { sink_.deliver(events); })) return;
  for (const Event& event : events) {
    Connection* const connection = context_.connections.find(connection_of(event));
    if (connection != nullptr) connection->fail();
  }
  events.clear();
}

void Server::Live::accept(net::Accepted&& accepted, const Door& door) {
  // Where the operator asks there is room when there is none for others, but not for anything.
  if (door.admin) {
    if (context_.admin_connections < kMostAdmin) take(std::move(accepted), door);
    return;
  }
  Server* const other = context_.team == nullptr ? nullptr : context_.team->place();
  if (other != nullptr) {
    other->adopt(std::move(accepted), door);
  } else {
    take(std::move(accepted), door);
  }
  make_room();
}

void Server::Live::take(net::Accepted&& accepted, const Door& door) {
  if (!door.admin) context_.counters.accepted.add();  // whatever becomes of it: it was placed here
  if (tls_ == nullptr || door.admin) {
    take(std::move(accepted), std::make_unique<net::Stream>(), door);
  } else if (context_.budget.fits(net::tls::TlsStream::kHandshakeCost)) {
    take(std::move(accepted), std::make_unique<net::tls::TlsStream>(tls_->endpoint()), door);
  } else {
    context_.counters.overloaded.add();  // and it is closed
  }
}

template <class Stream>
void Server::Live::take(net::Accepted&& accepted, std::unique_ptr<Stream> transport,
                        const Door& door) {
  const ConnectionId id = context_.connections.reserve();
  Stream& stream = *transport;
  auto connection = std::make_unique<Connection>(
      context_, id, std::move(transport), door,
      door.proxy ? make_protocol<ProxySession> : make_protocol<HttpSession>);
  Connection& opened = *connection;
  context_.connections.put(id, std::move(connection));
  if (door.admin) {
    ++context_.admin_connections;
  } else {
    context_.counters.connections.add();
  }
  opened.guarded([&] {
    // Out of memory: the stream closes itself, and on_closed() takes the connection out again.
    if (stream.open(std::move(accepted), &opened) != 0) return;
    opened.start();
    if (stopping_) opened.drain();
  });
}

// Connections that wait for a request make room for new ones. Where there are none, the new ones
// wait in the kernel's backlog.
void Server::Live::make_room() {
  const std::uint64_t most = context_.limits.max_connections;
  Team* const team = context_.team;
  const std::uint64_t open =
      team != nullptr ? team->connections() : context_.counters.connections.get();
  if (open > most && !idle_.close_oldest() && team != nullptr) team->close_idle();
  if (open < most || idle_.any()) return;
  for (const auto& listener : listeners_) listener->pause();
  look_for_room();
}

// On the acceptor, while it is paused. What the others find they tell by LetIn.
void Server::Live::look_for_room() {
  crowded_.set(context_.loop.timers(), context_.loop.now_ms() + kCrowdedMs);
  if (context_.team != nullptr) context_.team->find_idle();
}

void Server::Live::let_in() {
  crowded_.clear();
  if (handed_over_) return;
  for (const auto& listener : listeners_) {
    if (listener->paused()) listener->resume();
  }
}

void Server::Live::on_connection_closed() noexcept {
  if (context_.total(&Counters::connections) < context_.limits.max_connections) {
    if (listeners_.empty() && context_.team != nullptr) {
      context_.guarded([this] { context_.team->let_in(place_.index, false); });
    }
    let_in();
  }
  end_if_empty();
}

// Events that come are handed over behind the poll, and what else a turn makes before the next one.
void Server::Live::turn(int wait_ms) {
  over_ = !loop_.turn(wait_ms);
  end_turn(true);
}

void Server::Live::taken(bool by_guardian) {
  loop_.adopt();
  handoff_.taken(by_guardian);
  if (ended_) return;
  take_mail();
  // What else ends a turn is due before the next poll.
  if (!context_.events.empty() || publications_.waiting()) end_turn(true);
}

// What the last turn has left to the next one is done now: the descriptor tells only of what comes
// from outside.
bool Server::Live::expose() {
  net::Exposure& exposure = loop_.exposure();
  if (ended_ || !exposure.open()) return false;
  end_turn(true);
  for (int turns = 0; !exposure.settled(); ++turns) {
    if (turns == kMostSettling) {
      loop_.wake();
      break;
    }
    turn(0);
    if (ended_) return false;
  }
  return exposure.arm();
}

void Server::Live::take_mail() {
  if (!handoff_.take(mail_)) return handoff_.looked();
  context_.clock.tick();
  // Carrying a command out may take mail again (a stop does), so the batch is set aside.
  std::vector<Command> batch;
  batch.swap(mail_);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    publications_.expect(batch, i);
    carry_out(std::move(batch[i]));
  }
  if (mail_.empty()) {
    batch.clear();
    mail_.swap(batch);  // keeps the capacity
  }
  write_out();
  if (!sink_.idle()) handoff_.looked();
}

// The application is at work: what it has published is not gathered for longer.
void Server::Live::look() {
  take_mail();
  publications_.send();
  write_out();
}

void Server::Live::write_out() {
  server::write_out(context_);
}

void Server::Live::end_turn(bool linger) {
  if (ended_) return;
  // Once a turn: the one in which gauges were taken must not make another one due.
  if (watched_ && linger) gauge_taker_.end_turn();
  const bool idle = sink_.idle();
  const std::size_t events = hand_over();
  // Once a turn: commands may make new events, and sockets and timers have to have their turn.
  if (handoff_.delivered(events, linger && idle)) {
    take_mail();
    if (!ended_ && hand_over() > 0) handoff_.looked();
  }
  if (ended_ || !publications_.end_turn(events > 0, sink_.idle())) return;
  write_out();
  if (hand_over() > 0) handoff_.looked();
}

std::size_t Server::Live::hand_over() {
  context_.clock.tick();
  context_.guarded([this] { files_.end_turn(); });
  write_out();
  const std::size_t events = context_.events.size();
  if (events > 0) deliver();
  log();
  return events;
}

void Server::Live::log() noexcept {
  if (context_.answered.records().empty()) return;
  context_.guarded(
      [this] { sink_.log(std::exchange(context_.answered, context_.answered.next())); });
}

void Server::Live::carry_out(Command&& command) noexcept {
  context_.guarded([&] { carry_out_own(std::move(command)); });
}

void Server::Live::carry_out_own(Command&& command) {
  if (!std::holds_alternative<Publish>(command)) publications_.send();
  if (auto* const routes = std::get_if<SetRoutes>(&command)) {
    set_routes(std::move(routes->routes));
    routes->done.set_value();
  } else if (auto* const adopted = std::get_if<Adopt>(&command)) {
    take(std::move(*adopted->connection), adopted->door);
  } else if (std::holds_alternative<LetIn>(command)) {
    let_in();
  } else if (std::holds_alternative<FindIdle>(command)) {
    if (idle_.any()) context_.team->let_in(place_.index, true);
  } else if (std::holds_alternative<CloseIdle>(command)) {
    idle_.close_oldest();
  } else if (auto* const gauges = std::get_if<TakeGauges>(&command)) {
    server::take_gauges(context_);
    gauges->done.set_value();
  } else if (auto* const routing = std::get_if<SetRouting>(&command)) {
    context_.routing = std::move(routing->routing);
    routing->done.set_value();
  } else if (auto* const hand_over = std::get_if<HandOver>(&command)) {
    hand_over->done.set_value(hand_over_sockets());
  } else if (std::holds_alternative<TakeBack>(command)) {
    take_back();
  } else if (const auto* const halt = std::get_if<Stop>(&command)) {
    stop(halt->grace_ms);
  } else {
    server::carry_out(context_, publications_, std::move(command));
  }
}

HandedOver Server::Live::hand_over_sockets() {
  HandedOver result;
  for (const auto& listener : listeners_) {
    net::ListenSocket socket;
    result.error = listener->share(&socket);
    if (result.error != 0) {
      result.sockets.clear();
      return result;
    }
    result.sockets.push_back(std::move(socket));
  }
  handed_over_ = true;
  for (const auto& listener : listeners_) listener->pause();
  return result;
}

void Server::Live::take_back() {
  handed_over_ = false;
  if (context_.connections.size() < context_.limits.max_connections) let_in();
}

// WebSockets are told in any case, and have a moment to answer.
void Server::Live::stop(std::int64_t grace_ms) {
  if (!listeners_.empty() && context_.team != nullptr) {
    context_.insist([&] { context_.team->acceptor_stops(grace_ms); });
  }
  listeners_.clear();
  stopping_ = true;
  const bool first = !std::exchange(context_.draining, true);
  context_.connections.each([grace_ms, first](Connection& connection) {
    if (grace_ms > 0 || connection.protocol().says_goodbye()) {
      if (first) connection.drain();  // once: each has its moment from then on
    } else {
      connection.close();
    }
  });
  const std::int64_t end_ms =
      context_.loop.now_ms() + std::max<std::int64_t>(grace_ms, kFarewellMs);
  // A second call may shorten the time, not prolong it.
  if (!grace_.armed() || end_ms < grace_.at()) grace_.set(context_.loop.timers(), end_ms);
  end_if_empty();
}

void Server::Live::close() {
  listeners_.clear();
  stopping_ = true;
  admin_listeners_.clear();
  close_connections();
  end_if_empty();
}

void Server::Live::close_connections() {
  context_.connections.each([](Connection& connection) { connection.close(); });
}

void Server::Live::end_if_empty() {
  if (ended_ || !stopping_) return;
  if (context_.connections.size() > context_.admin_connections) return;
  // Until the end, readiness checks are answered: it is not ready.
  admin_listeners_.clear();
  if (context_.connections.size() != 0) return close_connections();
  ended_ = true;
  grace_.clear();
  crowded_.clear();
  gauge_taker_.stop();
  context_.guarded([this] { server::take_gauges(context_); });
  file_log_.stop();
  std::vector<Command> rest;  // nothing is done of it, but no thread waits in vain: see Promised
  handoff_.close(rest);
  loop_.finish();
}

void Server::Live::on_deadline(net::Deadline& deadline) noexcept {
  if (&deadline == &grace_) return close_connections();
  if (idle_.any()) return let_in();
  context_.guarded([this] { look_for_room(); });
}

}  // namespace httpuv::server
