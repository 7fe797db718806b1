// Counters of a server. Only the loop thread writes them; any thread may read. Two counters may be
// of slightly different times.
#pragma once

#include <atomic>
#include <cstdint>

namespace httpuv::server {

// A counter with one writer: an increment is a plain addition, without a lock.
class Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void subtract(std::uint64_t n) { add(~n + 1); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Counters {
  Counter accepted;         // connections, ever
  Counter connections;      // open now
  Counter requests;         // heads read, ever
  Counter static_files;     // answered from the routes, ever
  Counter in_flight;        // handed to the application and not answered
  Counter overloaded;       // answered 503 because the application lags, ever
  Counter refused;          // broken or over a limit, ever
  Counter accept_failures;  // the system had no room for a connection, ever
  Counter timed_out;        // connections a deadline ended, ever
  Counter evicted;          // idle connections closed for new ones, ever
  Counter published;        // messages to topics that have subscribers or a history, ever
  Counter topic_dropped;    // not sent to a slow subscriber, ever
  Counter topic_closed;     // closed slow subscribers, ever
  Counter tls_handshakes;   // completed handshakes, ever
  Counter tls_resumed;      // of these, resumed by a ticket
  Counter tls_failures;     // handshakes that failed, ever
  Counter log_dropped;      // answers that the access log had no room for, ever
};

}  // namespace httpuv::server
