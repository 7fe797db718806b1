// Sends the answer of a static path or of {"file": path}: bytes in memory, or pieces of a file.
//
// Loop thread only. Failures go to the connection, which closes itself.
#pragma once

#include <string_view>

#include "files/answer/respond.h"

namespace httpuv::server {

class Connection;
struct Context;

// Writes `head`, then the body of `answer`. Short answers are gathered with other answers. A longer
// body shares its first segment with the head and is sent without a copy.
void send_answer(Context& context, Connection& connection, std::string_view head,
                 const files::Answer& answer);

}  // namespace httpuv::server
