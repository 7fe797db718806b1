#include "server/http/routing/router.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/encode/percent.h"
#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/responders/builtin_responder.h"
#include "server/http/responders/static_responder.h"
#include "server/http/routing/host_check.h"
#include "server/http/routing/static_files.h"

namespace httpuv::server {

namespace {

// The application of a path: 0, or 1 + the index of the mount. Paths are compared decoded, so that
// no spelling of a path bypasses its application.
std::uint16_t find_mount(const std::vector<Mount>& mounts, std::string_view raw_path) {
  if (mounts.empty()) return 0;
  std::optional<std::string> decoded;
  if (raw_path.find('%') != std::string_view::npos) decoded = base::percent_decode(raw_path);
  const std::string_view path = decoded ? std::string_view(*decoded) : raw_path;
  for (std::size_t i = 0; i < mounts.size(); ++i) {
    if (mounts[i].off) continue;
    const std::string& prefix = mounts[i].prefix;
    if (prefix.empty()) return static_cast<std::uint16_t>(i + 1);
    if (path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/')) {
      return static_cast<std::uint16_t>(i + 1);
    }
  }
  return 0;
}

// Whether a short body is delivered as a whole although the application reads in pieces: one call
// instead of two.
bool gathers(const Abilities& can, const http::RequestHead& head) {
  return head.content_length && *head.content_length <= can.gather_body && !head.chunked &&
         !head.expects_continue;
}

void refuse(HttpSession& http, Exchange& exchange, int status, std::string_view reason,
            std::string_view text = {}) {
  http.context().refusals.tell(http.context(), http.connection(), status, reason);
  http.answers().early(exchange, status, text);
}

// Says which methods there are (RFC 9110 section 10.2.1). Which ones the application knows only it
// can tell: these are the registered ones that it is asked about.
void answer_allow(HttpSession& http, Exchange& exchange, bool calls, int status) {
  http::PlainResponse plain = http::plain_response(status);
  plain.head.add("Allow",
                 calls ? "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" : "GET, HEAD, OPTIONS");
  if (status == 204) plain = http::PlainResponse{std::move(plain.head), {}};
  http.wire().incoming().on(http::RequestEvent::kDrop);
  http.answers().give(exchange, std::move(plain.head), std::move(plain.body));
}

void hold_for_application(HttpSession& http, Exchange& exchange, http::RequestHead&& head) {
  http.wire().incoming().on(http::RequestEvent::kHold);
  http.application().ask(exchange, std::move(head), RequestBody{}, true);
}

}  // namespace

void route(HttpSession& http, Exchange& exchange) {
  if (answer_builtin(http, exchange)) return;
  Context& context = http.context();
  http::RequestHead& head = http.wire().incoming().head();
  if (!host_allowed(context.settings.allowed_hosts, head)) {
    return refuse(http, exchange, 403, "its host is not among allowedHosts",
                  "this server does not go by that name, see allowedHosts");
  }
  exchange.mount = find_mount(context.routing.mounts, head.view(head.path));
  const Abilities& can = context.routing.abilities_of(exchange.mount);
  if (UpgradeResponder::is_for(can, head)) {
    http.upgrade().expect(true);
    if (!http.requests().admit_body(exchange)) return;
    if (can.on_headers) hold_for_application(http, exchange, http::RequestHead(head));
    return;
  }
  // CONNECT has no path: it is the application's, and its connection ends with the answer.
  if (head.is_connect) {
    exchange.is_connect = true;
    exchange.keep_alive = false;
    if (!can.connect || !can.call) return answer_allow(http, exchange, can.call, 405);
  }
  if (head.is_options && head.view(head.path) == "*" && !can.call) {
    return answer_allow(http, exchange, can.call, 204);
  }
  const files::Match match =
      head.is_connect ? files::Match() : context.files->classify(head.view(head.path));
  if (match.kind == files::MatchKind::kBadRequest) {
    return refuse(http, exchange, 400, "its path is not one");
  }
  if (match.kind == files::MatchKind::kRoute && StaticResponder(http).take(exchange, match)) return;
  const bool streams = can.stream_body && can.call && head.has_body() && !gathers(can, head);
  if (streams) {
    http.requests().stream_body(exchange);
  } else if (can.call && !http.requests().admit_body(exchange)) {
    return;
  }
  if (can.on_headers || streams) return hold_for_application(http, exchange, std::move(head));
  if (!can.call) return http.answers().early(exchange, 404);
  http.requests().send_continue_if_due();
}

}  // namespace httpuv::server
