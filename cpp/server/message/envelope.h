// A request on its way to the application and its answer on the way back, with their bodies.
//
// Plain owned data, moved from one thread to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/borrowed.h"
#include "base/charge.h"
#include "base/descriptor.h"
#include "files/answer/respond.h"
#include "http/message/request.h"
#include "http/message/response.h"
#include "server/message/connection_id.h"
#include "server/message/tls.h"

namespace httpuv::server {

// The body of a request: in memory, or beyond Limits::body_memory_bytes in an unlinked file. The
// file's offset is 0.
struct RequestBody {
  std::string bytes;
  base::Descriptor file;
  std::uint64_t length = 0;
  base::SharedCharge on_disk{};  // for the file; released when the file is closed
};

// The body of an answer: in memory (its own or borrowed), `length` bytes of a file from `offset`,
// or an answer of the file library. The fields of the latter are already in the head of the answer.
struct FileBody {
  base::Descriptor file;
  std::uint64_t length = 0;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;  // its st_dev
};
using FileAnswer = std::unique_ptr<files::Answer>;
using ResponseBody =
    std::variant<std::monostate, std::string, base::Borrowed, FileBody, FileAnswer>;

// What of a body is in memory.
inline std::string_view bytes_of(const ResponseBody& body) {
  if (const auto* const own = std::get_if<std::string>(&body)) return *own;
  const auto* const borrowed = std::get_if<base::Borrowed>(&body);
  return borrowed != nullptr ? borrowed->bytes : std::string_view();
}

// A request on its way to the application, and the answer on its way back. Both share one object,
// so that the threads reuse its memory. Otherwise one thread would allocate and the other thread
// would free memory for each request.
struct Envelope {
  ExchangeId id;

  http::RequestHead request;
  RequestBody body;
  std::string remote_address;
  int remote_port = 0;
  bool https = false;                  // as the client sees it
  bool client_told = false;            // a proxy has named the client, for this request only
  std::shared_ptr<const TlsInfo> tls;  // null where the connection has none
  bool headers_only = false;           // without the body: Respond or Continue follows
  bool resumed = false;                // the application has the head already; it is not here
  std::uint16_t mount = 0;             // the application: see Settings::mounts

  http::ResponseHead head;
  ResponseBody answer;

  void clear();  // resets everything and keeps the memory
};
using EnvelopePtr = std::unique_ptr<Envelope>;

// The bytes that are charged for a request without its body, so that many short requests count.
inline std::uint64_t cost_of(const http::RequestHead& head) {
  return sizeof(Envelope) + head.bytes.size() + head.fields.size() * sizeof(http::HeaderField);
}

}  // namespace httpuv::server
