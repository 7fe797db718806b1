#include "server/server.h"

#include <algorithm>
#include <new>
#include <utility>

#include "net/listen/accepted.h"
#include "net/listen/bind.h"
#include "net/loop/loop.h"
#include "net/loop/loop_thread.h"
#include "server/live.h"

namespace httpuv::server {

namespace {

// What may wait for the loop before threads wait for it, too. The loop takes it all at once.
constexpr std::uint64_t kMailboxBytes = std::uint64_t{4} * 1024 * 1024;

}  // namespace

Server::Server(Settings settings, std::unique_ptr<EventSink> sink, Place place,
               Sequencer* sequencer)
    : settings_(std::move(settings)),
      place_(place),
      sequencer_(sequencer),
      sink_(std::move(sink)),
      budget_(std::make_shared<Budget>(Budget::Bounds{settings_.limits.memory_bytes,
                                                      settings_.limits.disk_bytes.value_or(0),
                                                      settings_.limits.queue_bytes})),
      metrics_(settings_.metrics != nullptr ? settings_.metrics
                                            : std::make_shared<MetricsMemory>()),
      crowded_bytes_(static_cast<std::size_t>(
          std::min<std::uint64_t>(kMailboxBytes, settings_.limits.memory_bytes / 4 + 1))),
      handoff_(std::make_unique<Handoff>(*sink_)),
      thread_(std::make_unique<net::LoopThread>()) {}

Server::~Server() {
  stop(0);
}

int Server::listen_tcp(const std::string& host, int port, Bound* bound, std::string* failed,
                       Door door) {
  std::vector<net::ListenSocket> added;  // several, of a name with several addresses
  const int error = net::bind_tcp(host, port, &added, failed, settings_.bind);
  if (error != 0) return error;
  *bound = {added.front().host(), added.front().port()};
  for (net::ListenSocket& each : added) sockets_.push_back(std::move(each));
  doors_.resize(sockets_.size(), door);
  return 0;
}

int Server::listen_pipe(const std::string& path, std::optional<unsigned> mask, Door door) {
  net::ListenSocket socket;
  const int error = net::bind_unix(path, mask, &socket, settings_.bind);
  if (error != 0) return error;
  sockets_.push_back(std::move(socket));
  doors_.push_back(door);
  return 0;
}

int Server::listen_fd(int fd, Bound* bound, Door door) {
  net::ListenSocket socket;
  const int error = net::adopt_listener(fd, &socket);
  if (error != 0) return error;
  *bound = {socket.host(), socket.port()};
  sockets_.push_back(std::move(socket));
  doors_.push_back(door);
  return 0;
}

int Server::listen_with(Server& other, Bound* bound) {
  HandOver command;
  std::future<HandedOver> done = command.done.get_future();
  if (!other.running() || !other.post(std::move(command))) return UV_ENOTCONN;
  other.hurry();
  HandedOver handed = done.get();
  if (handed.error != 0) return handed.error;
  if (handed.sockets.empty()) return UV_ENOTCONN;
  *bound = {handed.sockets.front().host(), handed.sockets.front().port()};
  sockets_ = std::move(handed.sockets);
  doors_.assign(sockets_.size(), Door{.proxy = settings_.proxy_protocol});
  return 0;
}

void Server::take_back() {
  post(TakeBack{});
}

int Server::start(std::shared_ptr<net::Lanes> lanes) {
  int error = 0;
  std::vector<net::ListenSocket> sockets = std::move(sockets_);
  sockets_.clear();
  const std::vector<Door> doors = std::exchange(doors_, {});
  if (lanes == nullptr) lanes = net::Lanes::start(&error);
  if (lanes == nullptr) return error;
  loop_ = net::Loop::create(&error, std::move(lanes));
  if (loop_ == nullptr) return error;
  budget_->count_commands(&handoff_->bytes_waiting());
  if (!settings_.limits.disk_bytes) budget_->set_disk(default_disk_bytes(settings_.spool_folder));
  live_ = std::make_unique<Live>(*loop_, settings_, *metrics_, *budget_, *handoff_, *sink_, place_,
                                 sequencer_);
  if (first_routes_ != nullptr) live_->set_routes(std::move(first_routes_));
  error = live_->open(std::move(sockets), doors);
  const std::lock_guard lock(stopping_);  // another thread may stop it as soon as it answers
  // Before the thread runs: clients may wait already, and what they ask for may be answered at
  // once.
  running_.store(true, std::memory_order_release);
  answers_.store(true, std::memory_order_release);
  if (error == 0) error = thread_->start([live = live_.get()] { live->run(); });
  if (error != 0) {
    running_.store(false, std::memory_order_release);
    answers_.store(false, std::memory_order_release);
    handoff_->retire();
    live_->close();
    live_->run();
    live_.reset();
    loop_.reset();
  }
  return error;
}

bool Server::post(Command&& command, bool ring_now) {
  return answers() && handoff_->post(std::move(command), ring_now);
}

bool Server::has_mail() {
  return handoff_->has_mail();
}

bool Server::crowded() const {
  return answers() && handoff_->bytes_waiting().load(std::memory_order_relaxed) >= crowded_bytes_;
}

std::uint64_t Server::drains() const {
  return handoff_->drains();
}

void Server::wait_for_room(std::chrono::milliseconds most) {
  hurry();
  handoff_->wait_below(crowded_bytes_, most);
}

void Server::ring() {
  if (answers()) handoff_->ring();
}

void Server::hurry() {
  if (answers()) handoff_->hurry();
}

void Server::begin() {
  if (answers()) handoff_->begin();
}

bool Server::drivable() const {
  return answers() && !handoff_->driver().retired();
}

bool Server::drive() {
  return handoff_->driver().drive();
}

bool Server::resume() {
  return handoff_->driver().resume();
}

void Server::turn(int wait_ms) {
  handoff_->driver().turn(wait_ms);
}

void Server::pause() {
  handoff_->driver().pause();
}

int Server::host_fd() {
  return loop_->exposure().fd();
}

void Server::lend() {
  handoff_->driver().lend();
}

void Server::ask_loan() {
  handoff_->driver().ask_loan();
}

void Server::serve_lent() {
  if (!resume()) return ring();
  lend();
}

void Server::take_over() {
  if (answers()) handoff_->driver().hurry();
}

bool Server::bell_rang() {
  return loop_->bell_rang();
}

void Server::open_bell() {
  bell_.store(loop_->bell(), std::memory_order_release);
}

void Server::adopt(net::Accepted&& accepted, Door door) {
  Adopt command{std::make_unique<net::Accepted>(std::move(accepted)), door};
  command.connection->move_to(*loop_);
  post(std::move(command));
}

void Server::set_routes(std::shared_ptr<const files::RouteTable> routes) {
  if (!running()) {
    first_routes_ = std::move(routes);
    return;
  }
  SetRoutes command;
  command.routes = std::move(routes);
  std::future<void> done = command.done.get_future();
  await(std::move(command), done);
}

void Server::take_gauges() {
  TakeGauges command;
  std::future<void> done = command.done.get_future();
  await(std::move(command), done);
}

void Server::set_routing(Routing routing) {
  SetRouting command;
  command.routing = std::move(routing);
  std::future<void> done = command.done.get_future();
  await(std::move(command), done);
}

// Until the loop has carried it out, if it takes it. The thread that drives must have paused.
void Server::await(Command&& command, std::future<void>& done) {
  if (!post(std::move(command))) return;
  hurry();
  done.wait();
}

void Server::stop(std::int64_t grace_ms) {
  constexpr int kPatienceMs = 60'000;
  begin_stop(grace_ms);
  while (!wait_stopped(kPatienceMs)) {
  }
}

void Server::begin_stop(std::int64_t grace_ms) {
  if (!answers()) return;
  handoff_->retire();
  post(Stop{grace_ms});
  running_.store(false, std::memory_order_release);
}

bool Server::wait_stopped(int timeout_ms) {
  if (!answers()) return true;
  if (!thread_->wait(timeout_ms)) return false;
  const std::lock_guard lock(stopping_);  // for no longer than it takes to clean up
  if (live_ == nullptr) return true;
  thread_->join();
  answers_.store(false, std::memory_order_release);
  live_.reset();
  return true;
}

void Server::before_fork() {
  if (answers()) loop_->before_fork();
}

void Server::after_fork() {
  // Also if the server was stopped in between: what before_fork() held must be released.
  if (loop_ != nullptr) loop_->after_fork();
}

void Server::forget() {
  metrics_->forget();
  new (&stopping_) std::mutex;  // a thread that does not exist here may be in stop()
  handoff_->forget();           // or in post() or wait_for_room()
  if (!answers()) return;
  running_.store(false, std::memory_order_release);
  answers_.store(false, std::memory_order_release);
  bell_.store(-1, std::memory_order_release);
  loop_->forget_in_child();
  thread_->forget();
  // The thread may have been in the middle of anything: nothing of it can be destroyed here.
  static_cast<void>(live_.release());
  static_cast<void>(loop_.release());
}

}  // namespace httpuv::server
