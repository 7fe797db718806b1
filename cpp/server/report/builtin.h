// The paths that the server answers by itself, whatever Python is doing: health, readiness,
// metrics.
//
// Loop thread only; made where it is asked. Never fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message/response.h"

namespace httpuv::server {

struct Context;

class Builtin {
 public:
  enum class Kind : std::uint8_t { kHealth, kReady, kMetrics };

  explicit Builtin(Context& context) : context_(context) {}

  // The builtin answer of a path. `admin`: on the separate listener, which has default paths.
  [[nodiscard]] std::optional<Kind> find(std::string_view path, bool admin) const;
  // Probes use an address or a name of the orchestrator as Host, so allowed_hosts does not apply to
  // them. The answer reveals only one word.
  [[nodiscard]] static bool for_any_host(Kind kind) { return kind != Kind::kMetrics; }
  [[nodiscard]] http::PlainResponse answer(Kind kind) const;

 private:
  [[nodiscard]] http::PlainResponse ready() const;
  [[nodiscard]] http::PlainResponse metrics() const;

  Context& context_;
};

}  // namespace httpuv::server
