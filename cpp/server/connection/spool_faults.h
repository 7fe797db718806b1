// Reports failures of the folder for long bodies to the log: the first one with its cause and path,
// the next one only after a write has succeeded in between.
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

  // The status for a request with a body that could not be stored: 507 if there is no room (RFC
  // 4918 section 11.5), else 500.
  [[nodiscard]] static int status(int error);

 private:
  bool failing_ = false;
};

}  // namespace httpuv::server
