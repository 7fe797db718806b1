// How much of what the application gives as content is sent, and how its end is told: the rules of
// RFC 9110 sections 6.4.1, 8.6 and 9.3.6 in one place, for answers at hand and for streams.
//
// Pure functions, any thread; nothing here fails.
#pragma once

#include <cstdint>
#include <optional>

#include "http/response.h"

namespace httpuv::http {

struct Content {
  Framing framing = Framing::kNoBody;
  std::uint64_t length = 0;  // with kLength: what is said
  bool sent = false;         // whether the content follows the head
};

// What the request is that an answer is for.
struct AskedBy {
  bool head = false;
  bool connect = false;
  std::uint8_t minor_version = 1;
};

// `length`: that of the content that is at hand; none: it comes in pieces, of an unknown number.
Content content_of(const ResponseHead& head, const AskedBy& request,
                   std::optional<std::uint64_t> length);

}  // namespace httpuv::http
