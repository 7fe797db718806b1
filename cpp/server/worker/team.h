// The interface between the workers of a server (see workers.h). Loop threads only.
#pragma once

#include <cstdint>

#include "server/worker/counters.h"

namespace httpuv::server {

class Server;

// The upper bits of a connection's slot are the number of its worker.
constexpr unsigned kSlotBits = 24;
constexpr unsigned kMaxWorkers = 1U << (32 - kSlotBits);
constexpr std::uint32_t kSlotMask = (std::uint32_t{1} << kSlotBits) - 1;
constexpr unsigned worker_of_slot(std::uint32_t slot) {
  return slot >> kSlotBits;
}

class Team {
 public:
  virtual ~Team() = default;

  // On the acceptor's thread: the worker that a new connection goes to; null: the acceptor itself.
  virtual Server* place() = 0;
  // A number of all workers together.
  [[nodiscard]] virtual std::uint64_t total(Counter Counters::*counter) const = 0;
  // Where there are as many connections as there may be, the acceptor pauses, asks which worker has
  // an idle one, goes on, and has that one closed for the next. A worker whose connection closes
  // says so, too. What crosses on the way costs time, and the acceptor asks again.
  [[nodiscard]] virtual std::uint64_t connections() const = 0;  // also those on their way
  virtual void find_idle() = 0;
  virtual void close_idle() = 0;
  virtual void let_in(unsigned worker, bool idle) = 0;
  // The acceptor has closed its listeners: the others stop, too.
  virtual void acceptor_stops(std::int64_t grace_ms) = 0;
};

// Where a server stands among the workers.
struct Place {
  unsigned index = 0;
  Team* team = nullptr;  // null: it is alone
};

}  // namespace httpuv::server
