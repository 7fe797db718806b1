// What all connections of one server share. Loop thread only; owned by the server's loop; never
// handed out.
// More than 25 members and methods, because it is the list of what connections share; it does
// nothing itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/list_link.h"
#include "base/memory_reserve.h"
#include "http/parse/head_memo.h"
#include "net/loop/reactor.h"
#include "server/connection/outbox.h"
#include "server/connection/protocol.h"
#include "server/connection/refusal_log.h"
#include "server/connection/settings.h"
#include "server/connection/spool_faults.h"
#include "server/message/envelopes.h"
#include "server/message/events.h"
#include "server/observe/metrics_memory.h"
#include "server/observe/observer.h"
#include "server/observe/told.h"
#include "server/observe/waiting_line.h"
#include "server/topics/gathered.h"
#include "server/topics/topics.h"
#include "server/worker/answer_size.h"
#include "server/worker/body_collector.h"
#include "server/worker/budget.h"
#include "server/worker/counters.h"
#include "server/worker/date_clock.h"
#include "server/worker/limits.h"
#include "server/worker/request_ids.h"
#include "server/worker/slot_map.h"
#include "server/worker/team.h"
#include "websocket/deflate/deflate_pool.h"
#include "websocket/session.h"

namespace httpuv::server {

class Connection;
class EventGroups;
class StaticFiles;

// The lanes of computing (net/lanes/lanes.h): one for each connection, those of what concerns
// several, and one for static files.
constexpr std::uint64_t kFilesLane = ~std::uint64_t{0};
constexpr std::uint64_t kSharedLane = kFilesLane - 1;
constexpr std::uint64_t lane_of(const ConnectionId& id) {
  return std::uint64_t{id.generation} << 32 | id.slot;
}

struct Context {
  net::Reactor& loop;
  const Settings& settings;
  const Limits& limits;  // the settings'
  MetricsMemory& metrics_memory;
  Budget& budget;
  SpoolFolder spool_folder{};
  unsigned worker = 0;  // which of the server's loops this is

  Routing routing{settings.abilities, settings.mounts};
  Team* team = nullptr;  // null: there is one worker
  Metrics& metrics = metrics_memory.own(worker);
  Counters& counters = metrics.counters;
  WaitingLine waiting{metrics};
  const EventSink* sink = nullptr;
  StaticFiles* files = nullptr;
  Gathered* gathered = nullptr;
  EventGroups* event_groups = nullptr;
  Envelopes envelopes{};
  http::HeadMemo heads{};
  Outbox outbox{};
  DateClock clock{};
  Topics topics{loop, settings.topics, budget};
  websocket::DeflatePool deflate_pool{};
  websocket::SessionOptions ws_options{};
  std::string ws_block{};       // that WebSockets read into; a long message keeps it
  std::vector<Event> events{};  // made in this turn, delivered at its end
  SlotMap<Connection> connections{};
  AnswerSize answer_size{};
  std::vector<std::unique_ptr<Protocol>> replaced{};  // in this turn: they may be on the stack
  net::ListLink broken{};                             // connections that failed in this turn
  base::MemoryReserve reserve{};
  SpoolFaults spool{};
  RefusalLog refusals{};
  RequestIds request_ids{};
  std::vector<ExchangeObserver*> observers{};
  bool observes_text = false;  // one of them wants RequestText
  Told sent{};                 // bytes
  Told interpreter_waits{};
  Told interpreter_wait_ns{};
  std::size_t admin_connections = 0;  // open ones of listeners for the operator
  bool draining = false;
  AccessBatch answered{std::make_shared<AccessBacklog>()};  // in this turn, for the access log
  std::function<void()> on_connection_closed{};

  // Runs work that concerns no connection, or several. False: there was no memory for it, and what
  // was not done yet is left out.
  template <class Call>
  bool guarded(const Call& call) noexcept {
    try {
      call();
      return true;
    } catch (const std::bad_alloc&) {
      without_memory();
      return false;
    }
  }
  // The same for work that may run twice: it runs again after the reserve was released.
  template <class Call>
  bool insist(const Call& call) noexcept {
    return guarded(call) || guarded(call);
  }
  void without_memory() noexcept {
    reserve.spend();
    counters.overloaded.add();
  }

  // A number of the server: of all its workers.
  [[nodiscard]] std::uint64_t total(Counter Counters::*counter) const {
    return team == nullptr ? (counters.*counter).get() : team->total(counter);
  }

  // Whether the application may be handed one more request.
  [[nodiscard]] bool admits_request() const {
    return total(&Counters::in_flight) < limits.queue_requests;
  }
};

}  // namespace httpuv::server
