// The effect of each command of the application on its connection. A command does nothing if the
// connection has gone or has another protocol by now.
//
// Loop thread only. Never fails.
#pragma once

#include "server/context.h"
#include "server/message.h"

namespace httpuv::server {

// Every command but SetRoutes, SetRouting, HandOver, TakeBack and Stop, which are for the server as
// a whole.
void carry_out(Context& context, Command&& command);

// Ends the commands that still wait when the server has ended: threads that wait for them return.
void answer_late(Command& command);

}  // namespace httpuv::server
