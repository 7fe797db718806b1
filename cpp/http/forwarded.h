// What proxies in front say of the client: Forwarded (RFC 7239), X-Forwarded-For, -Proto, -Host and
// -Port.
//
// What: reads the chain of addresses from its end, where the nearest proxy wrote, as far as each is
//   a trusted proxy's: the first that is not is the client's. What is said beyond it anyone may
//   have written.
// Thread: any. Owner: values. Failure: what makes no sense ends the chain where it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/networks.h"
#include "http/request.h"

namespace httpuv::http {

struct Forwarded {
  std::string address;  // of the client; "": as before
  int port = 0;         // 0: not told
  std::optional<bool> https;
  std::string host;  // as a Host field has it; "": as before
};

// The peer must be trusted already. Where both kinds of fields are there, the X-Forwarded ones
// count: most proxies set those, and hand on a Forwarded that they do not know.
Forwarded read_forwarded(const RequestHead& head, const Networks& trusted);

// Has the head have one field of that name, with that value.
void set_field(RequestHead& head, Field field, std::string_view value);

}  // namespace httpuv::http
