// Failures of the folder in which long bodies wait, as the log is to know them: the first one is
// told with its cause and path, and the next only after a write has succeeded in between.
//
// Loop thread only; a part of Context. Never fails.
#pragma once

#include <string>

namespace httpuv::server {

struct Context;

class SpoolFaults {
 public:
  // A write to the folder has ended: 0 or errno.
  void done(int error, Context& context);

  // What the request whose body could not be kept is answered: 507 where there is no room (RFC 4918
  // section 11.5), else 500.
  [[nodiscard]] static int status(int error);

 private:
  bool failing_ = false;
};

}  // namespace httpuv::server
