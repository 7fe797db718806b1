#include "server/workers.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

#include "net/lanes/lanes.h"

namespace httpuv::server {

namespace {

// The connection of a command; null if it has none.
const ConnectionId* subject_of(const Command& command) {
  return std::visit(
      [](const auto& c) -> const ConnectionId* {
        using C = std::decay_t<decltype(c)>;
        if constexpr (std::is_same_v<C, Respond>) {
          return &c.envelope->id.connection;
        } else if constexpr (requires { c.id.connection; }) {
          return &c.id.connection;
        } else if constexpr (requires { c.id.slot; }) {
          return &c.id;
        } else {
          return nullptr;
        }
      },
      command);
}

SharedPublication copy_of(const Publication& message) {
  auto copy = std::make_shared<Publication>(message.message.is_text(), message.message.payload(),
                                            message.compress);
  copy->event = message.event;
  copy->epoch = message.epoch;
  copy->offset = message.offset;
  return copy;
}

}  // namespace

Workers::Workers(Settings settings, unsigned count, const MakeSink& make_sink) : placed_(count) {
  if (settings.metrics == nullptr) settings.metrics = std::make_shared<MetricsMemory>(count);
  Team* const team = count > 1 ? this : nullptr;
  for (unsigned index = 0; index < count; ++index) {
    workers_.push_back(
        std::make_unique<Server>(settings, make_sink(), Place{index, team}, &sequencer_));
  }
  for (const auto& worker : workers_) {
    for (const auto& other : workers_) {
      if (other != worker) worker->budget().share_bounds_with(other->budget());
    }
  }
}

int Workers::listen_tcp(const std::string& host, int port, Bound* bound, std::string* failed,
                        Door door) {
  return workers_.front()->listen_tcp(host, port, bound, failed, door);
}
int Workers::listen_pipe(const std::string& path, std::optional<unsigned> mask, Door door) {
  return workers_.front()->listen_pipe(path, mask, door);
}
int Workers::listen_fd(int fd, Bound* bound, Door door) {
  return workers_.front()->listen_fd(fd, bound, door);
}

void Workers::begun(const Event& event) {
  const std::size_t worker = worker_of_slot(connection_of(event).slot);
  metrics().own(worker).gauges.begun.fetch_add(1, std::memory_order_relaxed);
}

void Workers::take_gauges() {
  for (const auto& worker : workers_) worker->take_gauges();
}

int Workers::listen_with(Workers& other, Bound* bound) {
  return workers_.front()->listen_with(*other.workers_.front(), bound);
}
void Workers::take_back() {
  workers_.front()->take_back();
}

// The acceptor comes last: when it hands a connection on, the others are there.
int Workers::start() {
  // Counts may go on where those of a process that has ended stood (MetricsMemory).
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    placed_[i] = workers_[i]->counters().accepted.get();
  }
  int error = 0;
  const std::shared_ptr<net::Lanes> lanes = net::Lanes::start(&error);
  if (lanes == nullptr) return error;
  for (auto worker = workers_.rbegin(); worker != workers_.rend() && error == 0; ++worker) {
    error = (*worker)->start(lanes);
  }
  if (error != 0) {
    for (const auto& worker : workers_) worker->stop(0);
  }
  return error;
}

// What concerns the subscribers of a topic. Each loop has a separate message: it counts what it
// holds, and compresses it for its own subscribers.
bool Workers::post_to_all(const Command& command, bool ring) {
  if (const auto* const publish = std::get_if<Publish>(&command)) {
    for (const auto& worker : workers_) {
      worker->post(Publish{publish->topic, copy_of(*publish->message), publish->hash}, ring);
    }
    return true;
  }
  if (const auto* const load = std::get_if<TopicLoad>(&command)) {
    for (const auto& worker : workers_) {
      TopicLoad copy{load->topic, load->position, {}};
      for (const SharedPublication& each : load->messages) copy.messages.push_back(copy_of(*each));
      worker->post(std::move(copy), ring);
    }
    return true;
  }
  if (const auto* const overflow = std::get_if<WsOverflow>(&command)) {
    for (const auto& worker : workers_) worker->post(WsOverflow(*overflow), ring);
    return true;
  }
  return false;
}

std::uint64_t Workers::publish(std::string&& topic, SharedPublication message, bool ring) {
  if (!running()) return 0;
  const base::HashedName name(topic);
  return sequencer_.publish(name, [&](Position&& at) {
    message->epoch = std::move(at.epoch);
    message->offset = at.offset;
    return post(Publish{std::move(topic), std::move(message), name.hash}, ring);
  });
}

// A command that is not taken is destroyed behind join(): it gives its holds back, for which the
// sequencer must not be locked.
bool Workers::subscribe(WsSubscribe&& subscription, bool ring) {
  const std::array<std::string, 1> topics{subscription.topic};
  Command command(std::move(subscription));
  return sequencer_.join(topics, [&](std::vector<TopicHold>&& holds) {
    std::get<WsSubscribe>(command).hold = std::move(holds.front());
    return post(std::move(command), ring);
  });
}

bool Workers::feed(Feed&& request, bool ring) {
  const std::vector<std::string> topics = request.request->topics;
  Command command(std::move(request));
  return sequencer_.join(topics, [&](std::vector<TopicHold>&& holds) {
    std::get<Feed>(command).request->holds = std::move(holds);
    return post(std::move(command), ring);
  });
}

bool Workers::post(Command&& command, bool ring) {
  if (workers_.size() == 1) return workers_.front()->post(std::move(command), ring);
  if (const ConnectionId* const id = subject_of(command)) {
    return worker_of(*id).post(std::move(command), ring);
  }
  return post_to_all(command, ring);
}

void Workers::ring() {
  if (workers_.size() == 1) return workers_.front()->ring();
  for (const auto& worker : workers_) {
    if (worker->has_mail()) worker->ring();
  }
}

void Workers::hurry() {
  for (const auto& worker : workers_) worker->hurry();
}

void Workers::begin() {
  for (const auto& worker : workers_) worker->begin();
}

void Workers::take_over() {
  for (const auto& worker : workers_) worker->take_over();
}

void Workers::set_routes(const std::shared_ptr<const files::RouteTable>& routes) {
  for (const auto& worker : workers_) worker->set_routes(routes);
}

void Workers::set_routing(const Routing& routing) {
  for (const auto& worker : workers_) worker->set_routing(routing);
}

void Workers::stop(std::int64_t grace_ms) {
  constexpr int kPatienceMs = 60'000;
  begin_stop(grace_ms);
  while (!wait_stopped(kPatienceMs)) {
  }
}

// The first time the acceptor tells the others when it has closed its listeners: so they get every
// connection that it has placed before their Stop. Later calls only shorten the time.
void Workers::begin_stop(std::int64_t grace_ms) {
  const bool again = stopping_.exchange(true);
  workers_.front()->begin_stop(grace_ms);
  if (!again) return;
  for (std::size_t i = 1; i < workers_.size(); ++i) workers_[i]->begin_stop(grace_ms);
}

bool Workers::wait_stopped(int timeout_ms) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::milliseconds(timeout_ms);
  return std::all_of(workers_.begin(), workers_.end(), [end](const auto& worker) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    return worker->wait_stopped(static_cast<int>(std::max<std::int64_t>(left, 0)));
  });
}

bool Workers::answers() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->answers(); });
}

bool Workers::crowded() const {
  return std::any_of(workers_.begin(), workers_.end(),
                     [](const auto& worker) { return worker->crowded(); });
}

void Workers::wait_for_room(std::chrono::milliseconds most) {
  for (const auto& worker : workers_) {
    if (worker->crowded()) return worker->wait_for_room(most);
  }
}

std::uint64_t Workers::drains() const {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->drains();
  return sum;
}

void Workers::before_fork() {
  for (const auto& worker : workers_) worker->before_fork();
}
void Workers::after_fork() {
  for (const auto& worker : workers_) worker->after_fork();
}
void Workers::forget() {
  for (const auto& worker : workers_) worker->forget();
}

std::uint64_t Workers::total(Counter Counters::*counter) const {
  std::uint64_t sum = 0;
  for (const auto& worker : workers_) sum += (worker->counters().*counter).get();
  return sum;
}

// --- Team ---------------------------------------------------------------------------------------

// A connection that was placed and not yet taken counts as one that is open.
std::uint64_t Workers::load(std::size_t worker) const {
  const Counters& counters = workers_[worker]->counters();
  const std::uint64_t taken = counters.accepted.get();
  return counters.connections.get() + (placed_[worker] - taken);
}

Server* Workers::place() {
  std::size_t best = 0;
  std::uint64_t fewest = load(0);
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    const std::uint64_t open = load(i);
    if (open < fewest) {
      fewest = open;
      best = i;
    }
  }
  ++placed_[best];
  return best == 0 ? nullptr : workers_[best].get();
}

std::uint64_t Workers::connections() const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < workers_.size(); ++i) sum += load(i);
  return sum;
}

void Workers::find_idle() {
  paused_.store(true, std::memory_order_release);
  for (std::size_t i = 1; i < workers_.size(); ++i) workers_[i]->post(FindIdle{});
}

void Workers::close_idle() {
  const unsigned worker = has_idle_.load(std::memory_order_acquire);
  if (worker != 0) workers_[worker]->post(CloseIdle{});
}

void Workers::let_in(unsigned worker, bool idle) {
  if (idle) has_idle_.store(worker, std::memory_order_release);
  if (paused_.exchange(false, std::memory_order_acq_rel)) workers_.front()->post(LetIn{});
}

void Workers::acceptor_stops(std::int64_t grace_ms) {
  for (std::size_t i = 1; i < workers_.size(); ++i) workers_[i]->begin_stop(grace_ms);
}

}  // namespace httpuv::server
