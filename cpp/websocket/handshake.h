// The server's side of the opening handshake (RFC 6455 section 4.2): from the fields of an upgrade
// request to either an acceptance or a refusal.
//
// Pure functions, any thread; knows nothing of the HTTP layer beyond string views, and nothing of
// origins and hosts: whether a request is welcome is the caller's decision (for version 8 the
// origin is in Sec-WebSocket-Origin).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/deflate/deflate_params.h"

namespace httpuv::websocket {

// Field values as received; repeated fields joined with ", ". nullopt: the field is absent.
struct UpgradeRequest {
  std::string_view method;
  int minor_version = 1;  // HTTP/1.<this>
  std::optional<std::string_view> upgrade;
  std::optional<std::string_view> connection;
  std::optional<std::string_view> key;         // Sec-WebSocket-Key
  std::optional<std::string_view> version;     // Sec-WebSocket-Version
  std::optional<std::string_view> protocols;   // Sec-WebSocket-Protocol
  std::optional<std::string_view> extensions;  // Sec-WebSocket-Extensions
};

struct HeaderLine {
  std::string_view name;  // a literal
  std::string value;
};

struct Handshake {
  int status = 101;                 // 101, or the refusal's 400, 405 or 426
  std::string_view text;            // refusals: one sentence for the body and the log
  std::vector<HeaderLine> headers;  // what the response must carry, Upgrade and Connection included
  int version = 0;                  // accepted: 13 or 8
  std::string protocol;             // accepted: the subprotocol chosen, or ""
  std::optional<DeflateParams> deflate;  // accepted: set if permessage-deflate is on

  bool accepted() const { return status == 101; }
};

// Is this a request a WebSocket endpoint should look at, that is, does it ask for an upgrade to
// websocket?
bool wants_websocket(const UpgradeRequest& request);

// `protocols`: the subprotocols the server speaks; the first one of the client's list among them is
// chosen. `deflate`: null = no compression.
Handshake answer_handshake(const UpgradeRequest& request, std::span<const std::string> protocols,
                           const DeflateOptions* deflate);

// An acceptance as bytes: status line, its headers, `extra_lines` (each ended by CRLF, already
// validated), empty line.
void append_handshake(std::string& out, const Handshake& accepted,
                      std::string_view extra_lines = {});

// Sec-WebSocket-Accept for a key (section 4.2.2, item 5.4).
std::string accept_value(std::string_view key);

}  // namespace httpuv::websocket
