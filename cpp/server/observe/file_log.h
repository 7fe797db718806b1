// The format and path of an access log that is written without Python; a part of Settings.
//
// Thread: made by the one that starts the server, then the loop thread's (see file_logger.h).
// Owner: the Settings. Failure: none.
#pragma once

#include <memory>

#include "server/observe/log_format.h"
#include "server/observe/log_writer.h"

namespace httpuv::server {

struct FileLog {
  LogFormat format;
  std::unique_ptr<LogWriter> writer;
};

}  // namespace httpuv::server
