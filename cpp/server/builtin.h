// What the server answers by itself, whatever Python is doing: whether it lives, whether it can
// take requests, its metrics.
//
// Loop thread only; a part of Context. Owner: what owns the Context. Never fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/response.h"

namespace httpuv::server {

struct Context;

class Builtin {
 public:
  enum class Kind : std::uint8_t { kHealth, kReady, kMetrics };

  explicit Builtin(Context& context) : context_(context) {}

  // What answers a path. `admin`: on a listener that has nothing else, where the paths are the
  // usual ones unless there are others.
  [[nodiscard]] std::optional<Kind> find(std::string_view path, bool admin) const;
  // Probes name the server as they know it, by an address or a name of the orchestrator: they are
  // not asked for one of allowed_hosts. They learn nothing but two words.
  [[nodiscard]] static bool for_any_host(Kind kind) { return kind != Kind::kMetrics; }
  [[nodiscard]] http::PlainResponse answer(Kind kind) const;

 private:
  [[nodiscard]] http::PlainResponse ready() const;
  [[nodiscard]] http::PlainResponse metrics() const;

  Context& context_;
};

}  // namespace httpuv::server
