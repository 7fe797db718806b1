#include "server/connection/outbox.h"

#include "server/connection/connection.h"

namespace httpuv::server {

void Outbox::write_out() {
  Connection& owner = *owner_;
  owner_ = nullptr;
  owner.write(std::string_view(buffer_));
  buffer_.clear();
}

}  // namespace httpuv::server
