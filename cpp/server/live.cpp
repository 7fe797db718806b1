#include "server/live.h"

#include <utility>

namespace httpuv::server {

namespace {

// While the application owes answers the loop looks for them by itself this often: answers are
// posted without waking the loop each time, and a callback that takes long must not hold up those
// that were made before it.
constexpr int kMailCheckMs = 2;

}  // namespace

Server::Live::Live(net::Loop& loop, const Settings& settings, Counters& counters,
                   base::Mailbox<Command>& mailbox, EventSink& sink)
    : mailbox_(mailbox),
      sink_(sink),
      context_{loop, settings.limits, settings.abilities, settings.allowed_hosts, counters},
      files_(context_),
      mail_ticker_(std::make_unique<net::Ticker>(loop, [this] { take_mail(); })) {
  context_.files = &files_;
  context_.on_connection_closed = [this] { on_connection_closed(); };
  context_.clock.tick();
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
}

void Server::Live::accept(net::Accepted&& accepted) {
  const ConnectionId id = context_.connections.reserve();
  auto connection = std::make_unique<Connection>(context_, id);
  Connection& opened = *connection;
  context_.connections.put(id, std::move(connection));
  if (opened.open(std::move(accepted)) != 0) {
    context_.connections.take(id);
    return;
  }
  context_.counters.accepted.add();
  context_.counters.connections.add();
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
  if (!mailbox_.drain(mail_)) {
    if (context_.counters.in_flight.get() == 0) mail_ticker_->stop();
    return;
  }
  context_.clock.tick();
  // Carrying a command out may take mail again (a stop does), so the batch is set aside.
  std::vector<Command> batch;
  batch.swap(mail_);
  for (Command& command : batch) carry_out(std::move(command));
  if (mail_.empty()) {
    batch.clear();
    mail_.swap(batch);  // keeps the capacity
  }
  context_.outbox.flush();
}

void Server::Live::end_turn() {
  if (ended_) return;
  context_.clock.tick();
  files_.end_turn();
  context_.outbox.flush();
  if (context_.events.empty()) return;
  sink_.deliver(context_.events);
  if (!mail_ticker_->active()) mail_ticker_->start(kMailCheckMs);
}

void Server::Live::carry_out(Command&& command) {
  if (auto* respond = std::get_if<Respond>(&command)) {
    if (Connection* connection = context_.connections.find(respond->id.connection)) {
      connection->http().respond(respond->id.sequence, std::move(respond->head),
                                 std::move(respond->body));
    }
  } else if (const auto* go_on = std::get_if<Continue>(&command)) {
    if (Connection* connection = context_.connections.find(go_on->id.connection)) {
      connection->http().resume_request(go_on->id.sequence);
    }
  } else if (auto* routes = std::get_if<SetRoutes>(&command)) {
    set_routes(std::move(routes->routes));
    routes->done.set_value();
  } else {
    stop(std::get<Stop>(command).grace_ms);
  }
}

void Server::Live::stop(std::int64_t grace_ms) {
  listeners_.clear();
  context_.draining = true;
  if (grace_ms > 0) {
    context_.connections.each([](Connection& connection) {
      if (!connection.closing()) connection.http().drain();
    });
    grace_.set(context_.loop.timers(), context_.loop.now_ms() + grace_ms);
  } else {
    close_connections();
  }
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
  for (Command& command : rest) {
    if (auto* routes = std::get_if<SetRoutes>(&command)) routes->done.set_value();
  }
  context_.loop.finish();
}

void Server::Live::on_deadline(net::Deadline&) { close_connections(); }

}  // namespace httpuv::server
