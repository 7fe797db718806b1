#include "server/http/responders/builtin_responder.h"

#include <optional>
#include <utility>

#include "server/connection/connection.h"
#include "server/http/http_session.h"
#include "server/http/routing/host_check.h"
#include "server/report/builtin.h"

namespace httpuv::server {

bool answer_builtin(HttpSession& http, Exchange& exchange) {
  const http::RequestHead& head = http.wire().incoming().head();
  const bool admin = http.connection().door().admin;
  const Builtin builtin(http.context());
  const std::optional<Builtin::Kind> kind = builtin.find(head.view(head.path), admin);
  if (!kind) {
    if (admin) http.answers().early(exchange, 404);
    return admin;
  }
  if (!admin && !Builtin::for_any_host(*kind) &&
      !host_allowed(http.context().settings.allowed_hosts, head)) {
    return false;  // route() refuses it
  }
  exchange.observed.by = AnsweredBy::kBuiltin;
  http::PlainResponse plain = http::plain_response(405);
  if (head.is_get || head.is_head) {
    plain = builtin.answer(*kind);
  } else {
    plain.head.add("Allow", "GET, HEAD");
  }
  http.wire().incoming().on(http::RequestEvent::kDrop);
  http.answers().give(exchange, std::move(plain.head), std::move(plain.body));
  return true;
}

}  // namespace httpuv::server
