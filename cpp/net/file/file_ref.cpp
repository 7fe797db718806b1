#include "net/file/file_ref.h"

#include <unistd.h>

namespace httpuv::net {

FileRef FileRef::adopt(int fd, std::uint64_t device) {
  return {fd, device, std::shared_ptr<const void>(nullptr, [fd](const void*) { ::close(fd); })};
}

}  // namespace httpuv::net
