// A request on its way to the application and its answer on the way back, with their bodies.
//
// Plain owned data, moved from one thread to the other.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/charge.h"
#include "base/descriptor.h"
#include "files/answer/respond.h"
#include "http/message/request.h"
#include "http/message/response.h"
#include "server/message/connection_id.h"
#include "server/message/tls.h"

namespace httpuv::server {

// The body of a request: in memory, or past Limits::body_memory_bytes in an unlinked file. The
// offset of the file is at its start.
struct RequestBody {
  std::string bytes;
  base::Descriptor file;
  std::uint64_t length = 0;
  base::SharedCharge on_disk{};  // for the file: given back when it is closed
};

// The body of an answer: in memory, `length` bytes of a file from `offset`, or what a static path
// would answer with a file: its fields are in the head of the answer already.
struct FileBody {
  base::Descriptor file;
  std::uint64_t length = 0;
  std::uint64_t offset = 0;
  std::uint64_t device = 0;  // its st_dev
};
using FileAnswer = std::unique_ptr<files::Answer>;
using ResponseBody = std::variant<std::monostate, std::string, FileBody, FileAnswer>;

// A request on its way to the application, and its answer on the way back: one object for both, so
// that its memory goes round between the threads instead of being allocated on one and freed on the
// other for every request.
struct Envelope {
  ExchangeId id;

  http::RequestHead request;
  RequestBody body;
  std::string remote_address;
  int remote_port = 0;
  bool https = false;        // as the client sees it
  bool client_told = false;  // a proxy has named the client: others of the connection differ
  std::shared_ptr<const TlsInfo> tls;  // null where the connection has none
  bool headers_only = false;  // the head has come, the body has not: answer, or say Continue
  bool resumed = false;       // the application has had the head, which is not here again
  std::uint16_t mount = 0;    // which application is asked: see Settings::mounts

  http::ResponseHead head;
  ResponseBody answer;

  void clear();  // as new, but with the memory it has
};
using EnvelopePtr = std::unique_ptr<Envelope>;

// What a request that the application has counts for, beside its body; many short ones count, too.
inline std::uint64_t cost_of(const http::RequestHead& head) {
  return sizeof(Envelope) + head.bytes.size() + head.fields.size() * sizeof(http::HeaderField);
}

}  // namespace httpuv::server
