// The properties of a listener's connections. Plain data.
#pragma once

namespace httpuv::server {

struct Door {
  bool admin = false;  // for the operator: only what BuiltinSettings says is answered
  bool proxy = false;  // with the PROXY protocol
};

}  // namespace httpuv::server
