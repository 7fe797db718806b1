// What each command of the application does to the connection it is for. A connection that has
// gone, or speaks another protocol by now, makes its commands do nothing.
//
// Loop thread only. Never fails.
#pragma once

#include "server/context.h"
#include "server/message.h"

namespace httpuv::server {

// Every command but SetRoutes, SetRouting, HandOver, TakeBack and Stop, which are for the server as
// a whole.
void carry_out(Context& context, Command&& command);

// What is still waiting when the server has ended: nothing is done, but no thread waits in vain.
void answer_late(Command& command);

}  // namespace httpuv::server
