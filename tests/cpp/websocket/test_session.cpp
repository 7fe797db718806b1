// What goes out, and the life of a session.
#include <doctest/doctest.h>

#include <string>

#include "peer.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;
using State = Session::State;

namespace {

const SessionOptions kSessionOptions;

Event step(Session& session, const std::string& bytes) {
  std::string_view input = bytes;
  return session.next(input);
}

std::string only_frame(const std::string& bytes, Opcode opcode) {
  std::string_view rest = bytes;
  const ServerFrame frame = take_server_frame(rest);
  CHECK(frame.opcode == opcode);
  CHECK(frame.fin);
  CHECK(!frame.masked);
  CHECK(rest.empty());
  return frame.payload;
}

}  // namespace

TEST_CASE("session: messages out") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(session.append_message(out, true, "hi"));
  CHECK(only_frame(out, Opcode::kText) == "hi");
  out.clear();
  CHECK(session.append_message(out, false, std::string(70000, 'x')));
  CHECK(only_frame(out, Opcode::kBinary) == std::string(70000, 'x'));
  char header[kMaxServerHeader];
  CHECK(std::string(header, session.message_header(header, false, 70000)) == out.substr(0, 10));
  CHECK(!session.would_compress(1 << 20));
  CHECK(session.deflate_window_bits() == 0);
}

TEST_CASE("session: pings") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(step(session, control_frame(Opcode::kPing, "abc")) == Event::kPing);
  CHECK(session.payload() == "abc");
  CHECK(session.append_reply(out));
  CHECK(only_frame(out, Opcode::kPong) == "abc");
  CHECK(!session.append_reply(out));  // once
  out.clear();
  CHECK(session.append_ping(out, "x"));
  CHECK(only_frame(out, Opcode::kPing) == "x");
  out.clear();
  CHECK(session.append_pong(out, ""));
  CHECK(only_frame(out, Opcode::kPong) == "");
  CHECK(!session.append_ping(out, std::string(126, 'x')));
  CHECK(!session.append_pong(out, std::string(126, 'x')));
  CHECK(step(session, control_frame(Opcode::kPong, "y")) == Event::kPong);
  CHECK(session.payload() == "y");
  CHECK(!session.append_reply(out));
}

TEST_CASE("session: the peer closes") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(session.state() == State::kOpen);
  CHECK(session.close_code() == 1006);
  CHECK(step(session, control_frame(Opcode::kClose, close_payload(4000, "why"))) == Event::kClose);
  CHECK(session.state() == State::kClosed);
  CHECK(session.close_code() == 4000);
  CHECK(session.close_reason() == "why");
  CHECK(!session.was_clean());
  // What came before it may still be answered.
  CHECK(session.append_message(out, true, "hi"));
  CHECK(only_frame(out, Opcode::kText) == "hi");
  out.clear();
  CHECK(!session.append_close(out, 1000));
  CHECK(session.append_reply(out));
  CHECK(!session.append_message(out, true, "late"));
  CHECK(only_frame(out, Opcode::kClose) == close_payload(4000));
  CHECK(session.was_clean());
  CHECK(session.sent_close_code() == 4000);
  CHECK(!session.append_reply(out));
  CHECK(step(session, text_frame("after")) == Event::kNeedMore);
  CHECK(session.close_reason() == "why");
}

TEST_CASE("session: an empty Close is answered by an empty one") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(step(session, control_frame(Opcode::kClose)) == Event::kClose);
  CHECK(session.close_code() == 1005);
  CHECK(session.append_reply(out));
  CHECK(only_frame(out, Opcode::kClose) == "");
  CHECK(session.was_clean());
  CHECK(session.sent_close_code() == 1005);
}

TEST_CASE("session: we close") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(!session.append_close(out, 1006));
  CHECK(!session.append_close(out, 1000, std::string(124, 'x')));
  CHECK(!session.append_close(out, 1000, "\xFF"));
  CHECK(out.empty());
  CHECK(session.append_close(out, 1001, "moving"));
  CHECK(only_frame(out, Opcode::kClose) == close_payload(1001, "moving"));
  CHECK(session.state() == State::kClosing);
  CHECK(session.sent_close_code() == 1001);

  // Nothing more goes out.
  out.clear();
  char header[kMaxServerHeader];
  PreparedMessage message(true, "x");
  CHECK(!session.append_close(out));
  CHECK(!session.append_message(out, true, "late"));
  CHECK(!session.append_ping(out));
  CHECK(!session.append_pong(out, ""));
  CHECK(session.message_header(header, true, 1) == 0);
  CHECK(session.prepared_frame(message).empty());
  CHECK(out.empty());

  // What still comes is checked and dropped, until the peer's Close.
  const std::string late = text_frame("late") + control_frame(Opcode::kPing, "p") +
                           binary_frame("frag", false) + text_frame("\xFF").substr(0, 0) +
                           continuation("ment") +
                           control_frame(Opcode::kClose, close_payload(1001));
  for_each_split(late, [&](const std::vector<std::string_view>& pieces) {
    Session closing(&kSessionOptions);
    std::string replies;
    closing.append_close(replies);
    replies.clear();
    CHECK(feed(closing, pieces, &replies) == "close(1001,)");
    CHECK(replies.empty());
    CHECK(closing.was_clean());
    CHECK(closing.state() == State::kClosed);
  });
}

TEST_CASE(
    "session: closing drops what was half there, and large things that come, without storing "
    "them") {
  SessionOptions options;
  options.max_message_bytes = 100;
  Session session(&options);
  std::string out;
  CHECK(step(session, binary_frame(std::string(90, 'x'), false)) == Event::kNeedMore);
  CHECK(session.buffered() == 90);
  CHECK(session.append_close(out));
  CHECK(session.buffered() == 0);
  CHECK(step(session, continuation(std::string(5000, 'y'))) == Event::kNeedMore);
  CHECK(session.buffered() == 0);
  CHECK(step(session, control_frame(Opcode::kClose)) == Event::kClose);
}

TEST_CASE("session: closing while a message waits to be taken leaves it there") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(step(session, text_frame("in time")) == Event::kMessage);
  CHECK(session.append_close(out));
  CHECK(session.take_message().joined() == "in time");
}

TEST_CASE("session: a protocol error while closing is reported, not answered") {
  Session session(&kSessionOptions);
  std::string out;
  session.append_close(out);
  out.clear();
  CHECK(step(session, continuation("x")) == Event::kError);
  CHECK(!session.append_reply(out));
  CHECK(!session.was_clean());
  CHECK(session.state() == State::kClosed);
}

TEST_CASE("session: errors are answered with their code and text") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(step(session, text_frame("\xFF")) == Event::kError);
  CHECK(session.state() == State::kClosed);
  CHECK(session.append_reply(out));
  CHECK(only_frame(out, Opcode::kClose) == close_payload(1007, fault_text(Fault::kBadUtf8)));
  CHECK(session.close_code() == 1006);
  CHECK(session.sent_close_code() == 1007);
  CHECK(!session.was_clean());
  CHECK(!session.append_reply(out));
}

TEST_CASE("session: both close at the same time") {
  Session session(&kSessionOptions);
  std::string out;
  CHECK(session.append_close(out, 1000));
  out.clear();
  CHECK(step(session, control_frame(Opcode::kClose, close_payload(3000))) == Event::kClose);
  CHECK(!session.append_reply(out));
  CHECK(session.was_clean());
  CHECK(session.close_code() == 3000);
  CHECK(session.sent_close_code() == 1000);
}

TEST_CASE("session: it moves, with everything in it") {
  DeflatePool pool;
  Session first(&kSessionOptions, {}, &pool);
  const std::string bytes = text_frame("Hello");
  CHECK(step(first, bytes.substr(0, 8)) == Event::kNeedMore);
  Session second = std::move(first);
  CHECK(step(second, bytes.substr(8)) == Event::kMessage);
  CHECK(second.take_message().joined() == "Hello");
}
