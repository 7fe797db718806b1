// What comes in: frames to messages, through a Session, at every split.
#include <doctest/doctest.h>

#include <string>

#include "peer.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;

namespace {

SessionOptions options_with_limit(std::uint64_t limit) {
  SessionOptions options;
  options.max_message_bytes = limit;
  return options;
}

// The events of `bytes`, the same at every split.
std::string events(const std::string& bytes, std::uint64_t limit = 1 << 20, bool deflate = false,
                   const DeflateParams& params = {}) {
  const SessionOptions options = options_with_limit(limit);
  std::string expected = "?";
  for_each_split(bytes, [&](const std::vector<std::string_view>& pieces) {
    DeflatePool pool;
    Session session = deflate ? Session(&options, params, &pool) : Session(&options);
    const std::string log = feed(session, pieces);
    if (expected == "?") expected = log;
    REQUIRE(log == expected);
  });
  return expected;
}

}  // namespace

TEST_CASE("messages: one frame each") {
  CHECK(events(text_frame("Hello") + binary_frame("\x01\x02") + text_frame("")) ==
        "text(Hello) binary(\\x01\\x02) text()");
}

TEST_CASE("messages: fragments, with control frames in between (RFC 6455 section 5.4)") {
  CHECK(events(text_frame("Hel", false) + continuation("lo")) == "text(Hello)");
  CHECK(events(text_frame("", false) + continuation("", false) + continuation("")) == "text()");
  CHECK(events(text_frame("H", false) + control_frame(Opcode::kPing, "?") +
               continuation("ello", false) + control_frame(Opcode::kPong, "!") +
               continuation(" you") + binary_frame("b")) ==
        "ping(?) pong(!) text(Hello you) binary(b)");
  CHECK(events(control_frame(Opcode::kPing) + control_frame(Opcode::kPing, std::string(125, 'x')))
            .starts_with("ping() ping(xxx"));
}

TEST_CASE("messages: sizes around the lengths' forms and the pieces") {
  for (const std::size_t size : {125, 126, 127, 8191, 8192, 8193, 65535, 65536, 70000}) {
    std::string payload(size, 'a');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>('a' + i % 23);
    const SessionOptions options = options_with_limit(1 << 20);
    Session session(&options);
    const std::string bytes = text_frame(payload);
    for (std::size_t i = 0; i < bytes.size(); i += 4099) {
      std::string_view input = std::string_view(bytes).substr(i, 4099);
      const bool last = i + 4099 >= bytes.size();
      REQUIRE(session.next(input) == (last ? Event::kMessage : Event::kNeedMore));
    }
    REQUIRE(session.take_message().joined() == payload);
  }
}

TEST_CASE("messages: order of fragments") {
  CHECK(events(continuation("x")) == "error(1002)");
  CHECK(events(text_frame("a") + continuation("x")) == "text(a) error(1002)");
  CHECK(events(text_frame("a", false) + text_frame("b")) == "error(1002)");
  CHECK(events(text_frame("a", false) + binary_frame("b", false)) == "error(1002)");
}

TEST_CASE("control frames: their rules (RFC 6455 section 5.5)") {
  CHECK(events(client_frame({Opcode::kPing, std::string(126, 'x')})) == "error(1002)");
  CHECK(events(client_frame({Opcode::kPing, "x", false})) == "error(1002)");
  CHECK(events(client_frame({Opcode::kClose, "", false})) == "error(1002)");
  CHECK(events(client_frame({Opcode::kPing, "x", true, 4}), 100, true) == "error(1002)");
}

TEST_CASE("RSV1 only where compression was agreed, and only on a message's first frame") {
  const std::string hello("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);
  CHECK(events(compressed_frame(hello)) == "error(1002)");
  CHECK(events(compressed_frame(hello), 100, true) == "text(Hello)");
  CHECK(events(compressed_frame(hello.substr(0, 3), false) + continuation(hello.substr(3)), 100,
               true) == "text(Hello)");
  CHECK(events(compressed_frame(hello.substr(0, 3), false) +
                   client_frame({Opcode::kContinuation, hello.substr(3), true, 4}),
               100, true) == "error(1002)");
  CHECK(events(text_frame("a", false) + client_frame({Opcode::kContinuation, "b", true, 4}), 100,
               true) == "error(1002)");
  CHECK(events(client_frame({Opcode::kText, "a", true, 2}), 100, true) == "error(1002)");
}

TEST_CASE("text is checked as it comes (RFC 6455 section 8.1)") {
  CHECK(events(text_frame("\xCE\xBA\xE1\xBD\xB9\xF0\x9F\x98\x80")) ==
        "text(\\xce\\xba\\xe1\\xbd\\xb9\\xf0\\x9f\\x98\\x80)");
  CHECK(events(text_frame("a\xCE", false) + continuation("\xBA")) == "text(a\\xce\\xba)");
  CHECK(events(text_frame("a\xCE")) == "error(1007)");
  CHECK(events(text_frame("\xED\xA0\x80")) == "error(1007)");
  CHECK(events(text_frame("\xC0\x80", false)) == "error(1007)");
  CHECK(events(binary_frame("\xC0\x80")) == "binary(\\xc0\\x80)");
  // A control frame's payload is not the text's.
  CHECK(events(text_frame("\xCE", false) + control_frame(Opcode::kPing, "\xFF") +
               continuation("\xBA")) == "ping(\\xff) text(\\xce\\xba)");
}

TEST_CASE("text fails at the first impossible byte, not at the end of frame or message") {
  const SessionOptions options = options_with_limit(1 << 20);
  Session session(&options);
  const std::string bytes =
      text_frame("ok\xF4\x90 and much more to come");  // above U+10FFFF from the second byte on
  for (std::size_t i = 0; i < 6 + 4; ++i) {
    std::string_view input = std::string_view(bytes).substr(i, 1);
    REQUIRE(session.next(input) == (i < 6 + 3 ? Event::kNeedMore : Event::kError));
  }
  CHECK(close_code_of(session.fault()) == 1007);
}

TEST_CASE("the size limit: from the header at once, over all fragments, nothing stored") {
  const std::string ten(10, 'x');
  CHECK(events(binary_frame(ten), 10) == "binary(xxxxxxxxxx)");
  CHECK(events(binary_frame(ten + "x"), 10) == "error(1009)");
  CHECK(events(binary_frame(ten, false) + continuation(""), 10) == "binary(xxxxxxxxxx)");
  CHECK(events(binary_frame(ten, false) + continuation("x"), 10) == "error(1009)");
  CHECK(events(binary_frame("", false) + continuation("x"), 0) == "error(1009)");

  const SessionOptions options = options_with_limit(1 << 20);
  Session session(&options);
  std::string_view header(
      "\x82\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
      "abcd",
      14);
  CHECK(session.next(header) == Event::kError);
  CHECK(session.fault() == Fault::kMessageTooBig);
  CHECK(session.buffered() == 0);
}

TEST_CASE("no limit at all is possible, and does not overflow") {
  const std::uint64_t none = ~std::uint64_t{0};
  CHECK(events(binary_frame("ab", false) + continuation("c"), none) == "binary(abc)");
  CHECK(events(compressed_frame(std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), none, true) ==
        "text(Hello)");
}

TEST_CASE("close frames") {
  CHECK(events(control_frame(Opcode::kClose)) == "close(1005,)");
  CHECK(events(control_frame(Opcode::kClose, close_payload(1000))) == "close(1000,)");
  CHECK(events(control_frame(Opcode::kClose, close_payload(4999, "\xE2\x82\xAC bye"))) ==
        "close(4999,\\xe2\\x82\\xac bye)");
  CHECK(events(control_frame(Opcode::kClose, "\x03")) == "error(1002)");
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535}) {
    CHECK(events(control_frame(Opcode::kClose, close_payload(code))) == "error(1002)");
  }
  CHECK(events(control_frame(Opcode::kClose, close_payload(1000, "\xED\xA0\x80"))) ==
        "error(1007)");
  // Nothing is read after it, not even garbage; and an unfinished message is gone.
  CHECK(events(text_frame("a", false) + control_frame(Opcode::kClose, close_payload(1001)) +
               "garbage" + text_frame("b")) == "close(1001,)");
}

TEST_CASE("after an error nothing is read") {
  CHECK(events(std::string("\x81\x01x", 3) + text_frame("b")) == "error(1002)");
}

TEST_CASE("compressed messages: window taken over, frames in between not compressed") {
  ClientDeflate client;
  const std::string payload = "the quick brown fox, the quick brown fox, \xE2\x82\xAC";
  std::string bytes;
  std::string expected;
  for (int i = 0; i < 4; ++i) {
    const std::string packed = client.deflate(payload);
    const std::size_t half = packed.size() / 2;
    bytes += i % 2 == 0 ? compressed_frame(packed)
                        : compressed_frame(packed.substr(0, half), false) +
                              control_frame(Opcode::kPing, "p") + continuation(packed.substr(half));
    bytes += text_frame("plain");
    expected += (i % 2 == 0 ? "text(" : "ping(p) text(") + show(payload) + ") text(plain) ";
  }
  expected.pop_back();
  CHECK(events(bytes, 1000, true) == expected);
  // With the window forgotten, the second message refers to nothing.
  DeflateParams forgetful;
  forgetful.client_no_context_takeover = true;
  const std::string log = events(bytes, 1000, true, forgetful);
  CHECK(log == "text(" + show(payload) + ") text(plain) error(1007)");
}

TEST_CASE("compressed messages: empty ones") {
  CHECK(events(compressed_frame(std::string(1, '\0')), 100, true) == "text()");
  CHECK(events(compressed_frame(""), 100, true) == "text()");
  CHECK(events(compressed_frame("", false) + continuation(std::string(1, '\0')), 100, true) ==
        "text()");
  CHECK(events(compressed_frame("", false) + continuation(""), 100, true) == "text()");
}

TEST_CASE("compressed messages: UTF-8 is checked after inflation") {
  ClientDeflate client;
  CHECK(events(compressed_frame(client.deflate("ab\xFF")), 100, true) == "error(1007)");
  ClientDeflate other;
  const std::string cut = other.deflate("ab\xE2\x82");
  CHECK(events(compressed_frame(cut), 100, true) == "error(1007)");
  CHECK(events(compressed_frame(cut, true, Opcode::kBinary), 100, true) == "binary(ab\\xe2\\x82)");
}

TEST_CASE("compressed messages: a bomb ends in 1009") {
  ClientDeflate client(15, 9);
  const std::string bomb = client.deflate(std::string(64 << 20, 'a'));  // 64 MiB in about 64 KiB
  CHECK(bomb.size() < 100000);
  const SessionOptions options = options_with_limit(100000);
  DeflatePool pool;
  Session session(&options, {}, &pool);
  const std::string bytes = compressed_frame(bomb, true, Opcode::kBinary);
  std::string_view input = bytes;
  CHECK(session.next(input) == Event::kError);
  CHECK(session.fault() == Fault::kMessageTooBig);
  CHECK(session.buffered() == 0);
  // Up to the limit exactly it is a message.
  ClientDeflate exact;
  CHECK(events(compressed_frame(exact.deflate(std::string(100, 'a'))), 100, true)
            .starts_with("text(aaa"));
  ClientDeflate over;
  CHECK(events(compressed_frame(over.deflate(std::string(101, 'a'))), 100, true) == "error(1009)");
}

TEST_CASE("compressed messages: endless empty blocks are bounded too") {
  std::string blocks;
  for (int i = 0; i < 1000; ++i) blocks += std::string("\x00\x00\x00\xff\xff", 5);
  CHECK(events(compressed_frame(blocks), 100, true) == "error(1009)");
}

TEST_CASE("compressed messages: a bad stream, then whatever") {
  CHECK(events(compressed_frame("\x07\xff\xff") + text_frame("x"), 100, true) == "error(1007)");
}

TEST_CASE("a caller that stops has the rest itself") {
  const SessionOptions options;
  Session session(&options);
  const std::string bytes = text_frame("a") + text_frame("b");
  std::string_view input = bytes;
  CHECK(session.next(input) == Event::kMessage);
  CHECK(input == text_frame("b"));
  // Not taking a message is allowed: it is dropped.
  CHECK(session.next(input) == Event::kMessage);
  CHECK(session.take_message().joined() == "b");
  CHECK(session.take_message().joined() == "");
}
