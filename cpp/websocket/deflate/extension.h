// Sec-WebSocket-Extensions: the header's grammar (RFC 6455 section 9.1) and the negotiation of
// permessage-deflate (RFC 7692 sections 5 and 7.1).
//
// Pure functions, any thread. Input is whatever a client sent; nothing is trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "websocket/deflate/deflate_params.h"

namespace httpuv::websocket {

struct Negotiation {
  bool malformed = false;                // the request must be refused with 400
  std::optional<DeflateParams> deflate;  // agreed upon, if anything was
  std::string response;  // the value of our Sec-WebSocket-Extensions; "" = leave it out
};

// Takes the first permessage-deflate offer that can be accepted as it stands. An offer with a
// parameter that is unknown or repeated is passed over, as RFC 7692 section 7 wants, and so are
// other extensions. A header outside the grammar is malformed; and so is, if no other offer was
// good, an offer that gives a parameter it should know a value outside that parameter's grammar
// (server_max_window_bits=foo): such a client would not understand the answer either. `options`
// null: the grammar is checked and every offer declined.
Negotiation negotiate_extensions(std::string_view offers, const DeflateOptions* options);

}  // namespace httpuv::websocket
