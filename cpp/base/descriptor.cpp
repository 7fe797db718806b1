#include "base/descriptor.h"

#include <unistd.h>

#include <utility>

namespace httpuv::base {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  // The temporary closes what this one had.
  Descriptor old(release());
  fd_ = other.release();
  return *this;
}

Descriptor::~Descriptor() {
  // Nothing was written through it, so a failing close loses nothing.
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace httpuv::base
