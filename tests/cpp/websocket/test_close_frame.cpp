#include <doctest/doctest.h>

#include <string>

#include "peer.h"
#include "websocket/frame/close_frame.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;

TEST_CASE("close codes that may travel") {
  for (int code = 0; code <= 0xFFFF; ++code) {
    const bool registered = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    const bool allowed = registered || (code >= 3000 && code <= 4999);
    REQUIRE(is_wire_close_code(static_cast<std::uint16_t>(code)) == allowed);
  }
}

TEST_CASE("close payloads") {
  std::uint16_t code = 0;
  std::string_view reason;
  CHECK(parse_close("", code, reason) == Fault::kNone);
  CHECK(code == kCloseNoStatus);
  CHECK(reason == "");

  const std::string bye = close_payload(1000, "bye");
  CHECK(parse_close(bye, code, reason) == Fault::kNone);
  CHECK(code == 1000);
  CHECK(reason == "bye");

  CHECK(parse_close("\x03", code, reason) == Fault::kBadCloseLength);
  CHECK(parse_close(close_payload(1005), code, reason) == Fault::kBadCloseCode);
  CHECK(parse_close(close_payload(0), code, reason) == Fault::kBadCloseCode);
  CHECK(parse_close(close_payload(1000, "\xFF"), code, reason) == Fault::kBadCloseReason);
  CHECK(parse_close(close_payload(1000, "\xE2\x82"), code, reason) == Fault::kBadCloseReason);
}

TEST_CASE("what append_close() may be called with") {
  CHECK(is_valid_close(1000, ""));
  CHECK(is_valid_close(4999, "\xE2\x82\xAC"));
  CHECK(is_valid_close(1005, ""));
  CHECK(!is_valid_close(1005, "x"));
  CHECK(!is_valid_close(1006, ""));
  CHECK(!is_valid_close(999, ""));
  CHECK(!is_valid_close(5000, ""));
  CHECK(is_valid_close(1000, std::string(123, 'x')));
  CHECK(!is_valid_close(1000, std::string(124, 'x')));
  CHECK(!is_valid_close(1000, "\xC0\x80"));
}

TEST_CASE("every fault has a code and a text that fits a Close frame") {
  for (int i = 1; i <= static_cast<int>(Fault::kOutOfMemory); ++i) {
    const Fault fault = static_cast<Fault>(i);
    CHECK(is_valid_close(close_code_of(fault), fault_text(fault)));
    CHECK(!fault_text(fault).empty());
  }
  CHECK(close_code_of(Fault::kNone) == 0);
  CHECK(close_code_of(Fault::kBadUtf8) == 1007);
  CHECK(close_code_of(Fault::kMessageTooBig) == 1009);
  CHECK(close_code_of(Fault::kNotMasked) == 1002);
}
