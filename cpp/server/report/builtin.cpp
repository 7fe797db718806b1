#include "server/report/builtin.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "server/connection/connection.h"
#include "server/connection/context.h"
#include "server/observe/families.h"
#include "server/report/gauges.h"

namespace httpuv::server {

namespace {

http::PlainResponse text(int status, std::string body,
                         std::string_view type = "text/plain; charset=utf-8") {
  http::PlainResponse response;
  response.head.status = status;
  response.head.add("Content-Type", type);
  response.head.add("Cache-Control", "no-store");
  response.body = std::move(body);
  return response;
}

}  // namespace

std::optional<Builtin::Kind> Builtin::find(std::string_view path, bool admin) const {
  const BuiltinSettings& settings = context_.settings.builtin;
  const auto is = [&](const std::string& own, std::string_view usual) {
    if (own.empty()) return admin && path == usual;
    return path == own;
  };
  if (is(settings.health, "/livez")) return Kind::kHealth;
  if (is(settings.ready, "/readyz")) return Kind::kReady;
  if (is(settings.metrics, "/metrics")) return Kind::kMetrics;
  return {};
}

http::PlainResponse Builtin::answer(Kind kind) const {
  switch (kind) {
    case Kind::kHealth:
      return text(200, "ok\n");
    case Kind::kReady:
      return ready();
    case Kind::kMetrics:
      break;
  }
  return metrics();
}

http::PlainResponse Builtin::ready() const {
  if (context_.draining) return text(503, "stopping\n");
  context_.waiting.catch_up();
  double waited = 0;  // in any loop of this process
  for (std::size_t i = 0; i < context_.metrics_memory.count(); ++i) {
    waited = std::max(waited, oldest_seconds(context_.metrics_memory.own(i), steady_ns()));
  }
  if (waited * 1000 > static_cast<double>(context_.settings.builtin.ready_max_wait_ms)) {
    return text(503,
                "a request has waited for " + std::to_string(static_cast<int>(waited)) + " s\n");
  }
  if (context_.metrics_memory.own().gauges.broker ==
      static_cast<std::uint64_t>(BrokerState::kAwayNotReady)) {
    return text(503, "the broker is away\n");
  }
  return text(200, "ok\n");
}

http::PlainResponse Builtin::metrics() const {
  take_gauges(context_);
  return text(200, prometheus_text(families(context_.metrics_memory, context_.settings.build_info)),
              "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace httpuv::server
