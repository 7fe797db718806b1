// The end of a turn of the loop for connections: gathered bytes are written, failed connections are
// reset, and replaced protocols are destroyed.
//
// Loop thread only, with no connection on the stack. Never fails.
#pragma once

#include "server/connection/context.h"

namespace httpuv::server {

void write_out(Context& context) noexcept;

}  // namespace httpuv::server
