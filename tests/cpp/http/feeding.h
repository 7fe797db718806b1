// Feeds a stream to a RequestParser as a server would, whole or cut, and keeps all that came out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "../limits.h"
#include "http/parse/head_memo.h"
#include "http/parse/request_parser.h"

namespace httpuv::http {

struct ParsedMessage {
  RequestHead head;
  std::string body;
  bool complete = false;
};

struct Parsed {
  std::vector<ParsedMessage> messages;
  int error_status = 0;  // 0: none
  std::string error_reason;
  bool idle = false;
  bool in_body = false;
  bool may_end = false;  // what finish() said

  // All of it as text, to compare and to show.
  [[nodiscard]] std::string describe() const;
};

// `cuts`: sizes of the pieces, the last of which is repeated; none: whole.
Parsed feed(std::string_view stream, const RequestLimits& limits,
            const std::vector<std::size_t>& cuts, HeadMemo* memo = nullptr);

// Whole, byte by byte, cut at random, and with a memo of itself: checks that all give the same, and
// returns it.
Parsed feed_every_way(std::string_view stream, const RequestLimits& limits = usual_limits());

}  // namespace httpuv::http
