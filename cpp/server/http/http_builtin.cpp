// Requests that the server answers by itself: see builtin.h.
#include <utility>

#include "server/connection/connection.h"
#include "server/http/host_check.h"
#include "server/http/http_session.h"
#include "server/report/builtin.h"

namespace httpuv::server {

// False: it is for others.
bool HttpSession::route_builtin(Exchange& exchange) {
  const bool admin = connection_.door().admin;
  const Builtin builtin(context_);
  const std::optional<Builtin::Kind> kind =
      builtin.find(wire_.incoming().head().view(wire_.incoming().head().path), admin);
  if (!kind) {
    if (admin) answer_early(exchange, 404);
    return admin;
  }
  if (!admin && !Builtin::for_any_host(*kind) &&
      !host_allowed(context_.settings.allowed_hosts, wire_.incoming().head())) {
    return false;  // which refuses it
  }
  exchange.observed.by = AnsweredBy::kBuiltin;
  http::PlainResponse plain = http::plain_response(405);
  if (wire_.incoming().head().is_get || wire_.incoming().head().is_head) {
    plain = builtin.answer(*kind);
  } else {
    plain.head.add("Allow", "GET, HEAD");
  }
  wire_.incoming().on(http::RequestEvent::kDrop);
  answer(exchange, std::move(plain.head), std::move(plain.body));
  return true;
}

}  // namespace httpuv::server
