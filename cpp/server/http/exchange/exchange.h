// One exchange of a connection that speaks HTTP/1: what the server keeps beside what the wire
// knows.
//
// Loop thread only; in the queue of the connection's Wire.
#pragma once

#include <cstdint>
#include <memory>

#include "base/charge.h"
#include "http/wire/wire.h"
#include "server/observe/observer.h"

namespace httpuv::server {

struct Parked;

struct Exchange : http::WireExchange {
  bool negotiated = false;         // the server may code the content of its answer,
  bool accepts_gzip = false;       // and the client accepts gzip
  std::uint16_t mount = 0;         // which application it is for
  base::Charge head;               // for what the application was handed: the head,
  base::Charge body;               // and of the body what is in memory
  std::unique_ptr<Parked> parked;  // null: nothing of it waits
  Observed observed;               // for its observers
};

using Wire = http::Wire<Exchange>;

}  // namespace httpuv::server
