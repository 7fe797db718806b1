#include "server/connection/turn.h"

#include "server/connection/connection.h"

namespace httpuv::server {

void write_out(Context& context) noexcept {
  context.outbox.flush();
  Connection::reset_all(context.broken);
  context.replaced.clear();
}

}  // namespace httpuv::server
