// What the error numbers of listening mean, in words. Any thread.
#pragma once

#include <string>

namespace httpuv::server {

// Errors of the system have the negative errno; those of the name resolver are apart from them.
bool is_resolver_error(int error);
int resolver_error(int error);  // the EAI_ number of <netdb.h>
std::string error_text(int error);

}  // namespace httpuv::server
