#include "server/message.h"

#include <unistd.h>

namespace httpuv::server {

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = other.release();
  }
  return *this;
}

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) ::close(fd_);
}

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
