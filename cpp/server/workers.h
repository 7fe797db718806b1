// The loops of one server: ioThreads=N.
//
// What: N times Server, each with its loop, connections and topics, behind what one has. Worker 0
//   listens; a connection that it accepts goes to the worker with the fewest. The slot of a
//   ConnectionId has the number of its worker in its upper bits, so that a command finds its way
//   and an id names one connection of all. With N = 1 every call goes straight through.
// Thread: any, as Server; what the workers ask of each other (class Team) on their loop threads.
// Ownership: owns the workers, their sinks and, with them, the lanes that they share.
// Failure: start() leaves nothing behind, as Server::start().
// More than 25 members and methods, because it offers what Server does, for all workers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/message/topic/sequencer.h"
#include "server/server.h"

namespace httpuv::server {

class Workers final : private Team {
 public:
  using MakeSink = std::function<std::unique_ptr<EventSink>()>;

  // `count`: 1 to kMaxWorkers.
  Workers(Settings settings, unsigned count, const MakeSink& make_sink);

  // See Server.
  int listen_tcp(const std::string& host, int port, Bound* bound, std::string* failed,
                 Door door = {});
  int listen_pipe(const std::string& path, std::optional<unsigned> mask, Door door = {});
  int listen_fd(int fd, Bound* bound, Door door = {});
  int listen_with(Workers& other, Bound* bound);
  void take_back();
  int start();
  bool post(Command&& command, bool ring = true);
  // A message gets its topic's next offset: that, or 0 when the server is stopping or has not
  // started.
  std::uint64_t publish(std::string&& topic, SharedPublication message, bool ring = true);
  // A subscriber gets all that is published from now on.
  bool subscribe(WsSubscribe&& subscription, bool ring = true);
  bool feed(Feed&& request, bool ring = true);
  // For queries that each worker answers for itself.
  [[nodiscard]] unsigned count() const { return static_cast<unsigned>(workers_.size()); }
  bool post_to(unsigned worker, Command&& command, bool ring = true) {
    return workers_[worker]->post(std::move(command), ring);
  }
  void ring();
  // See Server. Of all workers that may have something to do.
  void hurry();
  void begin();
  void take_over();
  // The one worker that there is, which another thread may drive; null: there are several.
  [[nodiscard]] Server* only() const {
    return workers_.size() == 1 ? workers_.front().get() : nullptr;
  }
  void set_routes(const std::shared_ptr<const files::RouteTable>& routes);
  void set_routing(const Routing& routing);
  void stop(std::int64_t grace_ms);
  void begin_stop(std::int64_t grace_ms);
  bool wait_stopped(int timeout_ms);
  [[nodiscard]] bool running() const { return workers_.front()->running(); }
  [[nodiscard]] bool answers() const;
  [[nodiscard]] bool crowded() const;
  void wait_for_room(std::chrono::milliseconds most);
  [[nodiscard]] std::uint64_t drains() const;
  void before_fork();
  void after_fork();
  void forget();

  [[nodiscard]] const Settings& settings() const { return workers_.front()->settings(); }
  [[nodiscard]] MetricsMemory& metrics() const { return workers_.front()->metrics(); }
  // What the threads that run callbacks are doing.
  [[nodiscard]] CallbackMeter& python() const { return metrics().own().callbacks; }
  // Python begins to handle an event for which waits() is true.
  void begun(const Event& event);
  // Updates the gauges. Any thread but a loop's.
  void take_gauges();

  // The bytes that all workers hold together: Budget::memory_of_all() and similar functions.
  [[nodiscard]] const Budget& budget() const { return workers_.front()->budget(); }
  // A number of all workers together.
  [[nodiscard]] std::uint64_t total(Counter Counters::*counter) const override;

 private:
  // Team:
  Server* place() override;
  [[nodiscard]] std::uint64_t connections() const override;
  void find_idle() override;
  void close_idle() override;
  void let_in(unsigned worker, bool idle) override;
  void acceptor_stops(std::int64_t grace_ms) override;

  [[nodiscard]] std::uint64_t load(std::size_t worker) const;
  Server& worker_of(const ConnectionId& id) { return *workers_[worker_of_slot(id.slot)]; }
  bool post_to_all(const Command& command, bool ring);

  Sequencer sequencer_;  // outlives the workers
  std::vector<std::unique_ptr<Server>> workers_;
  std::vector<std::uint64_t> placed_;  // ever, on each worker; the acceptor's thread
  std::atomic<bool> paused_{false};    // accepting is
  std::atomic<unsigned> has_idle_{0};  // the worker that said so last
  std::atomic<bool> stopping_{false};
};

}  // namespace httpuv::server
