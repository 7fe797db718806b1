#include "server/message.h"

namespace httpuv::server {

void Envelope::clear() {
  request.clear();
  body = RequestBody();
  headers_only = false;
  resumed = false;
  head.clear();
  if (auto* bytes = std::get_if<std::string>(&answer)) {
    bytes->clear();
  } else {
    answer = std::monostate();
  }
}

}  // namespace httpuv::server
