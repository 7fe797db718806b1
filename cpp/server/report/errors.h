// The texts of error numbers of listening. Any thread.
#pragma once

#include <string>

namespace httpuv::server {

// System errors are negative errno values; errors of the name resolver have a separate range.
bool is_resolver_error(int error);
int resolver_error(int error);  // the EAI_ number of <netdb.h>
std::string error_text(int error);

}  // namespace httpuv::server
