// The metrics of a server: answers, times, callbacks, refusals.
//
// What: numbers in memory with a fixed layout, which several processes may map (metrics_memory.h).
//   The workers of one command add up there, and the counts of a worker stay when it has ended.
// Thread: a loop thread writes all but `callbacks`, which threads that run callbacks write with the
//   GIL held; any thread of any process reads. So each number has one writer at a time, and needs
//   no locked instruction. Two numbers may be of slightly different times.
// Owner: MetricsMemory. It begins as zeros: there is no constructor to run.
// Failure: none. What does not fit into a table is counted in its last place.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "server/worker/counters.h"

namespace httpuv::server {

enum class Method : std::uint8_t {
  kOther,
  kGet,
  kHead,
  kPost,
  kPut,
  kPatch,
  kDelete,
  kOptions,
  kConnect,
  kTrace,
};
inline constexpr std::array<std::string_view, 10> kMethodNames{
    "_OTHER", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"};
Method method_of(std::string_view name);

// What made an answer.
enum class AnsweredBy : std::uint8_t {
  kServer,  // a refusal, or nothing: the connection ended before
  kStatic,
  kApplication,
  kWebSocket,  // a handshake that was accepted
  kBuiltin,
};
inline constexpr std::array<std::string_view, 5> kAnsweredByNames{"server", "static", "app",
                                                                  "websocket", "builtin"};

// Times by the bounds that OpenTelemetry recommends for http.server.request.duration.
class DurationHistogram {
 public:
  static constexpr std::array<double, 14> kBounds{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                  0.5,   0.75, 1,     2.5,  5,     7.5, 10};
  // The slots hold what is at most a bound and above the one before; the last what is above all.
  void add(std::uint64_t nanoseconds) {
    buckets_[slot_of(nanoseconds)].add();
    sum_.add(nanoseconds);
  }
  [[nodiscard]] std::uint64_t bucket(std::size_t slot) const { return buckets_[slot].get(); }
  [[nodiscard]] std::uint64_t sum_ns() const { return sum_.get(); }

 private:
  static std::size_t slot_of(std::uint64_t nanoseconds);

  std::array<Counter, kBounds.size() + 1> buckets_;
  Counter sum_;
};

// Answers of one method and one maker.
struct Answered {
  static constexpr std::size_t kStatuses = 501;  // 0: none; else 100 to 599
  static std::size_t slot_of(int status) {
    return status >= 100 && status < 600 ? static_cast<std::size_t>(status) - 99 : 0;
  }
  static int status_of(std::size_t slot) { return slot == 0 ? 0 : static_cast<int>(slot) + 99; }

  Counter all;
  DurationHistogram took;
  std::array<Counter, kStatuses> statuses;
};

// Why requests were refused and connections ended, in the words of the log.
class RefusalTable {
 public:
  static constexpr std::size_t kMost = 64;
  struct Entry {
    Counter count;
    std::atomic<int> status;
    std::array<char, 64> reason;  // ends with a NUL
  };

  // The loop thread's.
  void count(int status, std::string_view reason);
  [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_acquire); }
  [[nodiscard]] const Entry& entry(std::size_t i) const { return entries_[i]; }

 private:
  std::atomic<std::size_t> size_;
  std::array<Entry, kMost> entries_;
};

// The state of the threads that run callbacks. They serve all loops of a process, so only the first
// place of a process is used.
struct CallbackMeter {
  Counter running;                         // callbacks under way
  std::atomic<std::uint64_t> threads;      // that may run them at once
  std::atomic<std::uint64_t> progress_ns;  // when one began or ended last, by the steady clock
  DurationHistogram took;
};

enum class ConnectionState : std::uint8_t {
  kIdle,     // between two requests
  kReading,  // a request is coming
  kWaiting,  // for the application, or a file
  kWriting,  // an answer leaves
  kWebSocket,
  kClosing,
};
inline constexpr std::array<std::string_view, 6> kConnectionStateNames{
    "idle", "reading", "waiting", "writing", "websocket", "closing"};

// What a broker of topics is to a process. Away, the process is ready for requests nevertheless, or
// not.
enum class BrokerState : std::uint8_t { kNone, kThere, kAway, kAwayNotReady };

// What is the case now, in one loop. `begun` is Python's to count, and `broker` to set: in the
// first place of a process.
struct Gauges {
  std::atomic<std::uint64_t> pid;  // 0: no process has it
  std::array<std::atomic<std::uint64_t>, kConnectionStateNames.size()> connections;
  std::atomic<std::uint64_t> first;          // the first place of this process
  std::atomic<std::uint64_t> handed;         // events handed to Python, ever
  std::atomic<std::uint64_t> begun;          // that it has begun to handle
  std::atomic<std::uint64_t> oldest;         // the number of the oldest that waits, and
  std::atomic<std::uint64_t> oldest_ns;      // since when it does, by the steady clock
  std::atomic<std::uint64_t> subscriptions;  // of WebSockets to topics
  std::atomic<std::uint64_t> topics;
  std::atomic<std::uint64_t> memory_bytes;
  std::atomic<std::uint64_t> disk_bytes;
  std::atomic<std::uint64_t> broker;  // a BrokerState
};

struct Metrics {
  Gauges gauges;
  CallbackMeter callbacks;
  Counters counters;
  Counter bytes_in;
  Counter bytes_out;  // as take_gauges() has found them, and so the two below
  Counter gil_waits;
  Counter gil_wait_ns;
  Counter ws_received;  // messages
  Counter ws_sent;
  Counter ws_dropped;
  Counter broker_dropped;  // messages that were fetched from the history instead: as Python says,
  Counter broker_renewed;  // subscriptions made anew; in the first place of a process
  RefusalTable refusals;
  std::array<std::array<Answered, kAnsweredByNames.size()>, kMethodNames.size()> answered;

  void count_answer(Method method, AnsweredBy by, int status, std::uint64_t nanoseconds) {
    Answered& into = answered[static_cast<std::size_t>(method)][static_cast<std::size_t>(by)];
    into.all.add();
    into.took.add(nanoseconds);
    into.statuses[Answered::slot_of(status)].add();
  }
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "processes share them");

// The steady clock, which all processes of a machine have in common.
std::uint64_t steady_ns();

// Seconds for which the oldest event of a loop has waited for Python.
double oldest_seconds(const Metrics& metrics, std::uint64_t now_ns);

// Seconds for which Python has been stuck: every thread is in a callback, or no thread begins the
// events of `loop`. 0: it is not stuck.
double stuck_seconds(const CallbackMeter& python, const Metrics& loop, std::uint64_t now_ns);

}  // namespace httpuv::server
