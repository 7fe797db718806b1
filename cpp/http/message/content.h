// How much of the application's content is sent, and how its end is marked: the rules of RFC 9110
// sections 6.4.1, 8.6 and 9.3.6 in one place, for complete answers and for streams.
//
// Pure functions, any thread; nothing here fails.
#pragma once

#include <cstdint>
#include <optional>

#include "http/message/response.h"

namespace httpuv::http {

struct Content {
  Framing framing = Framing::kNoBody;
  std::uint64_t length = 0;  // with kLength: the value of Content-Length
  bool sent = false;         // whether the content follows the head
};

// The facts about the request that determine the framing of its answer.
struct AskedBy {
  bool head = false;
  bool connect = false;
  std::uint8_t minor_version = 1;
};

// `length`: the length of complete content; none: the content comes in pieces.
Content content_of(const ResponseHead& head, const AskedBy& request,
                   std::optional<std::uint64_t> length);

}  // namespace httpuv::http
