#include "server/report/gauges.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "server/connection/connection.h"
#include "server/connection/context.h"

namespace httpuv::server {

namespace {
constexpr std::int64_t kEveryMs = 250;
}  // namespace

void take_gauges(Context& context) {
  std::array<std::uint64_t, kConnectionStateNames.size()> states{};
  std::uint64_t sent = 0;
  context.connections.each([&](Connection& connection) {
    ++states[static_cast<std::size_t>(connection.state())];
    sent += connection.stream().bytes_written();
  });
  Metrics& metrics = context.metrics;
  Gauges& gauges = metrics.gauges;
  for (std::size_t i = 0; i < states.size(); ++i) gauges.connections[i] = states[i];
  metrics.bytes_out.add(context.sent.take(sent));
  gauges.memory_bytes = context.budget.memory();
  gauges.disk_bytes = context.budget.disk();
  gauges.topics = context.topics.size();
  gauges.subscriptions = context.topics.subscriptions();
  const EventSink::Waits waits = context.sink != nullptr && context.worker == 0
                                     ? context.sink->interpreter_waits()
                                     : EventSink::Waits{};
  metrics.gil_waits.add(context.interpreter_waits.take(waits.count));
  metrics.gil_wait_ns.add(context.interpreter_wait_ns.take(waits.nanoseconds));
  context.waiting.catch_up();
}

void GaugeTaker::end_turn() {
  if (std::exchange(own_turn_, false)) return;  // or an idle loop would never sleep
  if (!due_.armed()) due_.set(context_.loop.timers(), context_.loop.now_ms() + kEveryMs);
}

void GaugeTaker::on_deadline(net::Deadline&) noexcept {
  own_turn_ = true;
  context_.guarded([this] { take_gauges(context_); });
}

}  // namespace httpuv::server
