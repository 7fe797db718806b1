// The client as named by proxies: Forwarded (RFC 7239), X-Forwarded-For, -Proto, -Host and -Port.
//
// What: reads the chain of addresses from its end, where the nearest proxy wrote. The first address
//   that is not a trusted proxy's is the client's. Entries before it are not trusted.
// Thread: any. Owner: values. Failure: an entry that cannot be parsed ends the chain.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message/request.h"
#include "http/proxy/networks.h"

namespace httpuv::http {

struct Forwarded {
  std::string address;  // of the client; "": as before
  int port = 0;         // 0: not told
  std::optional<bool> https;
  std::string host;  // as a Host field has it; "": as before
};

// The caller has checked that the peer is trusted. If both kinds of fields are present, the
// X-Forwarded ones are used: most proxies set those, and pass on an unknown Forwarded.
Forwarded read_forwarded(const RequestHead& head, const Networks& trusted);

// Replaces all fields of that name by one with that value.
void set_field(RequestHead& head, Field field, std::string_view value);

}  // namespace httpuv::http
