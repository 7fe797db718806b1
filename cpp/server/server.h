// One server: a loop thread, its listeners, routes and connections. The only class here that other
// threads touch; everything behind it belongs to the loop thread.
//
// The caller's thread binds (so an error is an ordinary return value) and starts the thread; any
// thread may post commands or stop. stop() returns when nothing of the server is left but its
// counters. After fork() the child calls forget(): the thread did not come along.
// More than 25 members and methods, because it is all that other threads may ask of a server:
// listening, commands, driving, stopping, numbers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "http/proxy/networks.h"
#include "net/listen/bind.h"
#include "server/connection/settings.h"
#include "server/message/message.h"
#include "server/message/routing.h"
#include "server/message/tls.h"
#include "server/observe/metrics_memory.h"
#include "server/topics/topic_rules.h"
#include "server/worker/budget.h"
#include "server/worker/counters.h"
#include "server/worker/limits.h"
#include "server/worker/team.h"

namespace httpuv::net {
class Accepted;
class Lanes;
class ListenSocket;
class Loop;
class LoopThread;
}  // namespace httpuv::net

namespace httpuv::server {

class Handoff;
class Sequencer;

struct Bound {
  std::string host;
  int port = 0;
};

class Server {
 public:
  // `sequencer`: where the offsets of its topics come from, which outlives it; null: they are told.
  Server(Settings settings, std::unique_ptr<EventSink> sink, Place place = {},
         Sequencer* sequencer = nullptr);
  ~Server();  // stops at once
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Bind and listen: 0 or a libuv error; then nothing is left behind and another attempt may be
  // made. `failed` names the address that did not work. Clients that connect wait for start().
  int listen_tcp(const std::string& host, int port, Bound* bound, std::string* failed,
                 Door door = {});
  int listen_pipe(const std::string& path, std::optional<unsigned> mask, Door door = {});
  // On a socket that listens already; adopts the descriptor where it returns 0. A Unix socket has
  // port 0.
  int listen_fd(int fd, Bound* bound, Door door = {});
  // On the sockets of a server that runs, which takes no connection from then on: neither refuses
  // one. It is to stop when this one has started, or to take_back() what it had. UV_ENOTCONN when
  // it does not listen any more.
  int listen_with(Server& other, Bound* bound);
  void take_back();
  // Starts the threads on what was bound. 0 or a libuv error, as above. Once, when it succeeds.
  // `lanes`: those of another server; null: its own.
  int start(std::shared_ptr<net::Lanes> lanes = nullptr);

  // Any thread. False when the server is stopping or has not started: the command is dropped.
  // `ring` false: the loop is not woken; the caller rings soon.
  bool post(Command&& command, bool ring = true);
  void ring();
  [[nodiscard]] bool has_mail();

  // Any thread but the loop's. The loop is behind with what was posted: before posting much, call
  // wait_for_room(), which waits at most `most`, unless this thread must not wait.
  // The loop takes all that waits without the help of any other thread.
  [[nodiscard]] bool crowded() const;
  void wait_for_room(std::chrono::milliseconds most);
  // How often the loop has taken what was posted.
  [[nodiscard]] std::uint64_t drains() const;
  // As ring(); the calling thread waits for what the loop does next.
  void hurry();
  // The application begins to handle events.
  void begin();

  // A thread that has nothing else to do may drive the loop (see net::Driver): between drive() or
  // resume() that return true and pause() it runs turns, in which events are delivered. Never with
  // the GIL held where it may wait. One thread at a time.
  bool drive();
  bool resume();
  void turn(int wait_ms);
  void pause();
  // The same for a thread that waits in a loop of its own: that watches host_fd() (-1: it cannot),
  // and the thread calls resume() when it is readable. lend() instead of pause(); where it was not
  // the owner, ask_loan().
  [[nodiscard]] int host_fd();
  void lend();
  void ask_loan();
  // The thread that has lent it has what was posted carried out.
  void serve_lent();
  // No thread drives it for a while: a loop that is paused is taken by its own thread at once.
  void take_over();
  [[nodiscard]] bool drivable() const;
  // A descriptor that ends the wait of a turn when a byte is written to it; -1: there is none until
  // the thread that drives has called open_bell(). It is open as long as the server exists.
  [[nodiscard]] int bell() const { return bell_.load(std::memory_order_acquire); }
  void open_bell();
  // Whether that has happened since the last time the thread that drives has asked.
  bool bell_rang();

  // Returns when the next request sees the new routes.
  void set_routes(std::shared_ptr<const files::RouteTable> routes);

  // Returns when the next request is given to what the application can do now. Mounts may be added
  // and switched off, never taken away.
  void set_routing(Routing routing);

  // Stops accepting, gives exchanges under way this time to finish, closes everything, joins.
  // Any thread but the loop's; a second call waits for the first.
  void stop(std::int64_t grace_ms);
  // The same in two parts. begin_stop() may be called again, to shorten the time; wait_stopped()
  // waits so long at most and says whether nothing of the server is left.
  void begin_stop(std::int64_t grace_ms);
  bool wait_stopped(int timeout_ms);
  [[nodiscard]] bool running() const { return running_.load(std::memory_order_acquire); }
  // Whether there may still be connections to answer: while it is running, and while it stops.
  [[nodiscard]] bool answers() const { return answers_.load(std::memory_order_acquire); }

  // Around fork(), in the parent and in the child: see net::Loop.
  void before_fork();
  void after_fork();
  void forget();

  [[nodiscard]] const Counters& counters() const { return metrics_->own(place_.index).counters; }
  [[nodiscard]] MetricsMemory& metrics() const { return *metrics_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  // Updates the gauges while the server runs. Any thread but the loop's.
  void take_gauges();
  [[nodiscard]] const Budget& budget() const { return *budget_; }
  [[nodiscard]] Budget& budget() { return *budget_; }

  // Takes a connection that another worker has accepted; on that one's loop thread.
  void adopt(net::Accepted&& accepted, Door door);

 private:
  class Live;

  void await(Command&& command, std::future<void>& done);

  const Settings settings_;
  const Place place_;
  Sequencer* const sequencer_;
  const std::unique_ptr<EventSink> sink_;
  const std::shared_ptr<Budget> budget_;  // shared with what outlives the server
  const std::shared_ptr<MetricsMemory> metrics_;
  const std::size_t crowded_bytes_;
  // Until the thread starts.
  std::vector<net::ListenSocket> sockets_;
  std::vector<Door> doors_;  // one for each
  std::shared_ptr<const files::RouteTable> first_routes_;
  const std::unique_ptr<Handoff> handoff_;
  std::unique_ptr<net::Loop> loop_;  // stays until the end: any thread may ring late
  std::unique_ptr<Live> live_;       // what belongs to the loop thread while that runs
  std::unique_ptr<net::LoopThread> thread_;
  std::atomic<bool> running_{false};
  std::atomic<bool> answers_{false};
  std::atomic<int> bell_{-1};
  std::mutex stopping_;
};

}  // namespace httpuv::server
