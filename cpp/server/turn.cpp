#include "server/turn.h"

#include <utility>
#include <vector>

#include "server/connection.h"

namespace httpuv::server {

namespace {

void close_broken(Context& context) {
  while (!context.broken.empty()) {
    const std::vector<ConnectionId> ids = std::exchange(context.broken, {});
    for (const ConnectionId& id : ids) {
      if (Connection* const connection = context.connections.find(id)) connection->reset();
    }
  }
}

}  // namespace

void write_out(Context& context) {
  context.outbox.flush();
  close_broken(context);
  context.replaced.clear();
}

}  // namespace httpuv::server
