// What a running server consists of on its loop thread: takes commands, accepts connections, and at
// the end of every turn answers from the routes, writes what was gathered and hands the events on.
//
// Made by the thread that starts the server, before the loop runs; everything else on the loop
// thread. Owns the listeners and, through Context, the connections.
// More than 25 members and methods, because each member is a part of a running server, and each
// method a command, or a step of starting or stopping.
#pragma once

#include <memory>
#include <vector>

#include "net/listen/listener.h"
#include "net/loop/loop.h"
#include "server/connection/connection.h"
#include "server/connection/context.h"
#include "server/fanout/event_group.h"
#include "server/fanout/publications.h"
#include "server/handoff.h"
#include "server/http/routing/static_files.h"
#include "server/idle_connections.h"
#include "server/observe/exchange_meter.h"
#include "server/report/access_log.h"
#include "server/report/file_logger.h"
#include "server/report/gauges.h"
#include "server/report/tls_events.h"
#include "server/server.h"

namespace httpuv::server {

class Server::Live final : public net::Driven, private net::DeadlineOwner {
 public:
  Live(net::Loop& loop, const Settings& settings, MetricsMemory& metrics, Budget& budget,
       Handoff& handoff, EventSink& sink, Place place, Sequencer* sequencer);

  // 0 or a libuv error; then close() and run() give back what was opened before.
  int open(std::vector<net::ListenSocket>&& sockets, const std::vector<Door>& doors);
  void set_routes(std::shared_ptr<const files::RouteTable> routes);
  void run();    // on the loop's own thread
  void close();  // the end, at once

  // As net::Driver has them.
  void turn(int wait_ms) override;
  void taken(bool by_guardian) override;
  [[nodiscard]] bool over() const override { return over_; }
  bool expose() override;
  [[nodiscard]] bool due() const override { return loop_.exposure().due(); }
  void await_due() override { loop_.exposure().await_due(); }

 private:
  void accept(net::Accepted&& accepted, const Door& door);
  void take(net::Accepted&& accepted, const Door& door);
  template <class Stream>
  void take(net::Accepted&& accepted, std::unique_ptr<Stream> transport, const Door& door);
  void make_room();
  void look_for_room();
  void let_in();
  void take_mail();
  void look();
  void end_turn(bool linger);
  void write_out();
  void deliver() noexcept;
  std::size_t hand_over();  // how many events
  void log() noexcept;
  void carry_out(Command&& command) noexcept;
  void carry_out_own(Command&& command);
  HandedOver hand_over_sockets();
  void take_back();
  void stop(std::int64_t grace_ms);
  void close_connections();
  void end_if_empty();
  void on_connection_closed() noexcept;
  void on_deadline(net::Deadline& deadline) noexcept override;

  net::Loop& loop_;
  Handoff& handoff_;
  EventSink& sink_;
  Context context_;
  StaticFiles files_;
  std::unique_ptr<TlsEvents> tls_;  // null: plain HTTP
  AccessLog access_log_{context_};
  FileLogger file_log_{context_};
  ExchangeMeter exchange_meter_{context_.metrics};
  GaugeTaker gauge_taker_{context_};
  // Others may ask when this loop sleeps.
  const bool watched_ = context_.metrics_memory.shared() || context_.settings.workers > 1;
  Publications publications_;
  EventGroups event_groups_;
  IdleConnections idle_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::vector<std::unique_ptr<net::Listener>> admin_listeners_;  // until there is nothing to tell
  std::vector<Command> mail_;
  net::Deadline grace_{this};
  net::Deadline crowded_{this};  // armed while no further connection is accepted
  const Place place_;
  bool stopping_ = false;
  bool handed_over_ = false;  // another server takes the connections
  bool ended_ = false;
  bool over_ = false;  // nothing is left on the loop
};

}  // namespace httpuv::server
