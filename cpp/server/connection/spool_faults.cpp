#include "server/connection/spool_faults.h"

#include <cerrno>
#include <system_error>

#include "server/connection/connection.h"
#include "server/connection/context.h"

namespace httpuv::server {

void SpoolFaults::done(int error, Context& context) {
  if (error == 0) {
    failing_ = false;
    return;
  }
  if (std::exchange(failing_, true)) return;
  context.events.emplace_back(NoticeEvent{
      NoticeLevel::kError, "cannot keep request bodies in " + context.settings.spool_folder + ": " +
                               std::generic_category().message(error) +
                               "; such requests are refused until it works again"});
}

int SpoolFaults::status(int error) {
  return error == ENOSPC || error == EDQUOT || error == EFBIG ? 507 : 500;
}

}  // namespace httpuv::server
