// The end of a turn of the loop, as far as it concerns connections: what was gathered is written,
// connections on which something failed are reset, protocols that were replaced are destroyed.
//
// Loop thread only, with no connection on the stack. Never fails.
#pragma once

#include "server/context.h"

namespace httpuv::server {

void write_out(Context& context);

}  // namespace httpuv::server
