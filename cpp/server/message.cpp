#include "server/message.h"

namespace httpuv::server {

void Envelope::clear() {
  request.clear();
  body = RequestBody();
  headers_only = false;
  resumed = false;
  mount = 0;
  head.clear();
  if (auto* bytes = std::get_if<std::string>(&answer)) {
    bytes->clear();
  } else {
    answer = std::monostate();
  }
}

ConnectionId connection_of(const Event& event) {
  return std::visit(
      [](const auto& each) {
        if constexpr (requires { each.envelope; }) {
          return each.envelope->id.connection;
        } else if constexpr (requires { each.request; }) {
          return each.request->id.connection;
        } else if constexpr (requires { each.id.connection; }) {
          return each.id.connection;
        } else {
          return each.id;
        }
      },
      event);
}

}  // namespace httpuv::server
