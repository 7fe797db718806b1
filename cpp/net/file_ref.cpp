#include "net/file_ref.h"

#include <unistd.h>

namespace httpuv::net {

FileRef FileRef::adopt(int fd) {
  return {fd, std::shared_ptr<const void>(nullptr, [fd](const void*) { ::close(fd); })};
}

}  // namespace httpuv::net
