#include "feeding.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace httpuv::http {
namespace {

std::string describe_head(const RequestHead& head) {
  std::string text;
  const auto part = [&](std::string_view name, Slice slice) {
    text.append(name).append("=").append(head.view(slice)).append("|");
  };
  const auto flag = [&](std::string_view name, bool value) {
    if (value) text.append(name).append("|");
  };
  part("method", head.method);
  part("target", head.target);
  part("path", head.path);
  part("query", head.query);
  part("authority", head.authority);
  text.append("1.").append(std::to_string(head.minor_version)).append("|");
  if (head.content_length) {
    text.append("length=").append(std::to_string(*head.content_length)).append("|");
  }
  flag("keep_alive", head.keep_alive);
  flag("chunked", head.chunked);
  flag("expects_continue", head.expects_continue);
  flag("upgrade", head.upgrade);
  flag("has_query", head.has_query);
  flag("get", head.is_get);
  flag("head", head.is_head);
  flag("options", head.is_options);
  flag("connect", head.is_connect);
  for (const HeaderField& field : head.fields) {
    text.append("\n  ").append(head.view(field.name)).append(": ");
    text.append(head.view(field.value));
    text.append(" #").append(std::to_string(static_cast<int>(field.id)));
  }
  return text;
}

// One piece, from memory of just that size, so that the address sanitizer sees a step past it.
// False after an error.
bool feed_piece(RequestParser& parser, std::string_view piece, Parsed& parsed) {
  const std::vector<char> exact(piece.begin(), piece.end());
  std::string_view input(exact.data(), exact.size());
  while (true) {
    const std::size_t before = input.size();
    const ParseEvent event = parser.next(input);
    REQUIRE(input.size() <= before);
    switch (event) {
      case ParseEvent::kNeedMore:
        REQUIRE(input.empty());
        return true;
      case ParseEvent::kHead:
        parsed.messages.push_back({parser.take_head(), {}, false});
        REQUIRE(parser.in_body());
        break;
      case ParseEvent::kBody:
        REQUIRE_FALSE(parser.body().empty());
        parsed.messages.back().body.append(parser.body());
        break;
      case ParseEvent::kEnd:
        REQUIRE_FALSE(parser.in_body());
        parsed.messages.back().complete = true;
        break;
      case ParseEvent::kError:
        parsed.error_status = parser.error_status();
        parsed.error_reason = parser.error_reason();
        REQUIRE_FALSE(parsed.error_reason.empty());
        return false;
    }
  }
}

}  // namespace

std::string Parsed::describe() const {
  std::string text;
  for (const ParsedMessage& message : messages) {
    text.append(describe_head(message.head)).append("\n  body=").append(message.body);
    text.append(message.complete ? " end\n" : " unfinished\n");
  }
  text.append("error=").append(std::to_string(error_status)).append(" ").append(error_reason);
  text.append(idle ? " idle" : "").append(in_body ? " in_body" : "");
  return text.append(may_end ? " may_end" : "");
}

Parsed feed(std::string_view stream, const RequestLimits& limits,
            const std::vector<std::size_t>& cuts, HeadMemo* memo) {
  Parsed parsed;
  RequestParser parser(&limits, memo);
  std::size_t next_cut = 0;
  bool good = true;
  while (good && !stream.empty()) {
    std::size_t size = stream.size();
    if (!cuts.empty()) size = std::min(size, cuts[std::min(next_cut++, cuts.size() - 1)]);
    good = feed_piece(parser, stream.substr(0, size), parsed);
    stream.remove_prefix(size);
  }
  if (!good) {  // stays failed
    std::string_view more = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    REQUIRE(parser.next(more) == ParseEvent::kError);
    REQUIRE(parser.error_status() == parsed.error_status);
    REQUIRE(parser.finish() == ParseEvent::kError);
    return parsed;
  }
  parsed.idle = parser.idle();
  parsed.in_body = parser.in_body();
  parsed.may_end = parser.finish() == ParseEvent::kNeedMore;
  return parsed;
}

Parsed feed_every_way(std::string_view stream, const RequestLimits& limits) {
  Parsed whole = feed(stream, limits, {});
  const std::string expected = whole.describe();
  CHECK(feed(stream, limits, {1}).describe() == expected);
  for (unsigned seed = 1; seed <= 10; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::size_t> cuts(64);
    for (std::size_t& cut : cuts) cut = 1 + random() % (seed < 6 ? 7 : 50);
    CAPTURE(seed);
    CHECK(feed(stream, limits, cuts).describe() == expected);
  }
  // With what was read before of the same stream, whole and cut.
  HeadMemo memo;
  for (int i = 0; i < 4; ++i) CHECK(feed(stream, limits, {}, &memo).describe() == expected);
  CHECK(feed(stream, limits, {40}, &memo).describe() == expected);
  CHECK(feed(stream, limits, {1}, &memo).describe() == expected);
  return whole;
}

}  // namespace httpuv::http
