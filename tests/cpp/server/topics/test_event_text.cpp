// The text of server-sent events, and the ids that come back.
#include "server/message/topic/event_text.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace httpuv::server {
namespace {

std::string event(std::string_view id, std::string_view name, std::string_view data) {
  std::string out;
  append_event(out, id, name, data);
  return out;
}

TEST_CASE("Events: every line end of the data begins a line of it") {
  CHECK(event("", "", "x") == "data: x\n\n");
  CHECK(event("e.1", "name", "") == "id: e.1\nevent: name\ndata: \n\n");
  CHECK(event("", "", "a\r\nb\rc\nd\n\r") ==
        "data: a\ndata: b\ndata: c\ndata: d\ndata: \ndata: \n\n");
}

TEST_CASE("Events: ids there and back") {
  std::string id;
  append_position(id, "Ab-_9", 0);
  id.push_back(',');
  append_position(id, "z", UINT64_MAX);
  CHECK(id == "Ab-_9.0,z.18446744073709551615");
  const auto positions = parse_positions(id, 2);
  REQUIRE(positions);
  CHECK((*positions)[0] == Position{"Ab-_9", 0});
  CHECK((*positions)[1] == Position{"z", UINT64_MAX});
  CHECK_FALSE(parse_positions(id, 1));
  const std::string longest(kMaxEpoch, 'e');
  CHECK(parse_positions(longest + ".1", 1));
  CHECK_FALSE(parse_positions(longest + "e.1", 1));
}

TEST_CASE("Events: what is no id") {
  for (const char* text :
       {"", ".", "a", "a.", ".1", "a.-1", "a.+1", "a.01", "a.1 ", " a.1", "a.1,", ",a.1",
        "a.1,,b.2", "a.18446744073709551616", "a b.1", "a.1.2", "\xc3.1"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_positions(text, 10));
  }
}

TEST_CASE("Events: a chunk for all") {
  const EventText text("data: 0123456789\n\n");
  CHECK(text.plain() == "data: 0123456789\n\n");
  CHECK(text.chunk() == "12\r\ndata: 0123456789\n\n\r\n");
}

TEST_CASE("Events: names of topics in JSON") {
  std::string out;
  append_json(out, "a\"b\\c\n\x01\xc3\xa9");
  CHECK(out == "\"a\\\"b\\\\c\\u000a\\u0001\xc3\xa9\"");
}

}  // namespace
}  // namespace httpuv::server
