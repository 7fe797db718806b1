// The effect of each command of the application on its connection. A command does nothing if the
// connection has gone or has another protocol by now.
//
// Loop thread only. Never fails: where there is no memory for a command, its connection ends.
#pragma once

#include "server/connection/context.h"
#include "server/fanout/publications.h"
#include "server/message/commands.h"

namespace httpuv::server {

// Every command but SetRoutes, SetRouting, HandOver, TakeBack and Stop, which are for the server as
// a whole.
void carry_out(Context& context, Publications& publications, Command&& command) noexcept;

}  // namespace httpuv::server
