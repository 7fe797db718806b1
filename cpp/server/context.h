// What all connections of one server share. Loop thread only; owned by the server's loop; never
// handed out.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/list_link.h"
#include "base/memory_reserve.h"
#include "net/loop/reactor.h"
#include "server/answer_size.h"
#include "server/body_collector.h"
#include "server/budget.h"
#include "server/builtin.h"
#include "server/counters.h"
#include "server/date_clock.h"
#include "server/envelopes.h"
#include "server/limits.h"
#include "server/message.h"
#include "server/observe/gauges.h"
#include "server/observe/metrics_memory.h"
#include "server/observe/waiting_line.h"
#include "server/observer.h"
#include "server/outbox.h"
#include "server/protocol.h"
#include "server/refusal_log.h"
#include "server/request_ids.h"
#include "server/server.h"
#include "server/slot_map.h"
#include "server/spool_faults.h"
#include "server/topics/event_group.h"
#include "server/topics/topics.h"
#include "websocket/deflate_pool.h"
#include "websocket/session.h"

namespace httpuv::server {

class Connection;
class Publications;
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
  Builtin builtin{*this};
  const EventSink* sink = nullptr;
  StaticFiles* files = nullptr;
  Publications* publications = nullptr;
  Envelopes envelopes{};
  Outbox outbox{};
  DateClock clock{};
  Topics topics{loop, settings.topics, budget};
  EventGroups event_groups{*this};
  websocket::DeflatePool deflate_pool{};
  websocket::SessionOptions ws_options{};
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

  // Does what concerns no connection, or several. False: there was no memory for it, and what was
  // not done yet is left out.
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
  // The same, which may be done twice: again with what was in reserve.
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
