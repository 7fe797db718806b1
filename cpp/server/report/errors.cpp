#include "server/report/errors.h"

#include <netdb.h>
#include <uv.h>

namespace httpuv::server {

bool is_resolver_error(int error) {
  return error <= UV_EAI_ADDRFAMILY && error >= UV_EAI_PROTOCOL;
}

int resolver_error(int error) {
  switch (error) {
    case UV_EAI_AGAIN:
      return EAI_AGAIN;
    case UV_EAI_BADFLAGS:
      return EAI_BADFLAGS;
    case UV_EAI_FAMILY:
      return EAI_FAMILY;
    case UV_EAI_MEMORY:
      return EAI_MEMORY;
    case UV_EAI_NONAME:
      return EAI_NONAME;
    case UV_EAI_SERVICE:
      return EAI_SERVICE;
    case UV_EAI_SOCKTYPE:
      return EAI_SOCKTYPE;
    default:
      return EAI_FAIL;
  }
}

std::string error_text(int error) {
  return uv_strerror(error);
}

}  // namespace httpuv::server
