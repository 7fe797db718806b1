// Requests that are accepted, and what is found in them. test_request_refusals.cpp has the others.
#include <doctest/doctest.h>

#include <string>

#include "../limits.h"
#include "feeding.h"

namespace httpuv::http {
namespace {

// The one request of a stream that has nothing else.
ParsedMessage only(std::string_view stream, const RequestLimits& limits = usual_limits()) {
  Parsed parsed = feed_every_way(stream, limits);
  CAPTURE(stream);
  CAPTURE(parsed.describe());
  REQUIRE(parsed.error_status == 0);
  REQUIRE(parsed.messages.size() == 1);
  REQUIRE(parsed.messages[0].complete);
  CHECK(parsed.may_end);
  return std::move(parsed.messages[0]);
}

RequestHead head_of(std::string_view lines) {
  return only(std::string(lines) + "\r\n").head;
}

RequestHead head_for_target(std::string_view method, std::string_view target) {
  return head_of(std::string(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: h\r\n"));
}

TEST_CASE("a plain request") {
  const RequestHead head = head_of(
      "GET /a/b%20c?d=e&f HTTP/1.1\r\n"
      "HOST: Example.com:8000\r\n"
      "Accept:*/*\r\n"
      "X-Empty:\r\n"
      "X-Spaces: \t  two  words \t \r\n"
      "x-latin: \xE4\r\n");
  CHECK(head.view(head.method) == "GET");
  CHECK(head.is_get);
  CHECK_FALSE(head.is_head);
  CHECK(head.view(head.target) == "/a/b%20c?d=e&f");
  CHECK(head.view(head.path) == "/a/b%20c");
  CHECK(head.view(head.query) == "d=e&f");
  CHECK(head.has_query);
  CHECK(head.authority.size == 0);
  CHECK(head.minor_version == 1);
  CHECK(head.keep_alive);
  CHECK_FALSE(head.has_body());
  CHECK_FALSE(head.content_length.has_value());
  REQUIRE(head.fields.size() == 5);
  CHECK(head.view(head.fields[0].name) == "host");
  CHECK(head.view(head.fields[0].value) == "Example.com:8000");
  CHECK(head.fields[0].id == Field::kHost);
  CHECK(head.view(head.fields[2].name) == "x-empty");
  CHECK(head.view(head.fields[2].value).empty());
  CHECK(head.fields[2].id == Field::kOther);
  CHECK(head.view(head.fields[3].value) == "two  words");
  CHECK(head.view(head.fields[4].value) == "\xE4");
  CHECK(head.get(Field::kAccept) == "*/*");
  CHECK(head.has(Field::kHost));
  CHECK_FALSE(head.has(Field::kCookie));
  CHECK(head.get(Field::kCookie).empty());
}

TEST_CASE("repeated fields are kept, and joined on request") {
  const RequestHead head = head_of(
      "GET / HTTP/1.1\r\nHost: h\r\nAccept: a\r\nCookie: x=1\r\nAccept: b, c\r\nCookie: y=2\r\n"
      "X-Forwarded-For:\r\nX-Forwarded-For: 1.2.3.4\r\n");
  CHECK(head.get(Field::kAccept) == "a");
  CHECK(head.joined(Field::kAccept) == "a, b, c");
  CHECK(head.joined(Field::kCookie) == "x=1; y=2");
  CHECK(head.joined(Field::kXForwardedFor) == ", 1.2.3.4");
  CHECK(head.joined(Field::kHost) == "h");
  CHECK(head.joined(Field::kOrigin).empty());
}

TEST_CASE("origin-form") {
  RequestHead head = head_for_target("GET", "/?");
  CHECK(head.view(head.path) == "/");
  CHECK(head.has_query);
  CHECK(head.query.size == 0);
  head = head_for_target("GET", "/a?b?c");
  CHECK(head.view(head.query) == "b?c");
  head = head_for_target("GET", "//host/x");
  CHECK(head.view(head.path) == "//host/x");
  CHECK(head.authority.size == 0);
  head = head_for_target("GET", "/%00/../%zz;a=\"<|>\"");
  CHECK(head.view(head.path) == "/%00/../%zz;a=\"<|>\"");
}

TEST_CASE("a fragment is no part of path and query") {
  RequestHead head = head_for_target("GET", "/a?b#c?d");
  CHECK(head.view(head.target) == "/a?b#c?d");
  CHECK(head.view(head.path) == "/a");
  CHECK(head.view(head.query) == "b");
  head = head_for_target("GET", "/a#b?c");
  CHECK(head.view(head.path) == "/a");
  CHECK_FALSE(head.has_query);
}

TEST_CASE("absolute-form overrides Host") {
  RequestHead head = head_for_target("GET", "http://Example.com:81/p?q");
  CHECK(head.view(head.target) == "http://Example.com:81/p?q");
  CHECK(head.view(head.path) == "/p");
  CHECK(head.view(head.query) == "q");
  CHECK(head.view(head.authority) == "Example.com:81");
  CHECK(head.get(Field::kHost) == "Example.com:81");
  head = head_for_target("GET", "HTTPS://[::1]");
  CHECK(head.view(head.path) == "/");
  CHECK(head.get(Field::kHost) == "[::1]");
  CHECK_FALSE(head.has_query);
  head = head_for_target("GET", "http://a?b/c");
  CHECK(head.view(head.path) == "/");
  CHECK(head.view(head.query) == "b/c");
  head = head_for_target("GET", "http://user:pass@a/");
  CHECK(head.view(head.authority) == "a");
  head = head_of("GET http://a/ HTTP/1.0\r\n");
  CHECK(head.view(head.authority) == "a");
  CHECK_FALSE(head.has(Field::kHost));
}

TEST_CASE("asterisk-form and authority-form") {
  RequestHead head = head_for_target("OPTIONS", "*");
  CHECK(head.view(head.path) == "*");
  CHECK(head.is_options);
  head = head_for_target("M-SEARCH", "*");
  CHECK(head.view(head.path) == "*");
  head = head_for_target("CONNECT", "example.com:443");
  CHECK(head.is_connect);
  CHECK(head.path.size == 0);
  CHECK(head.view(head.authority) == "example.com:443");
  head = head_for_target("CONNECT", "[2001:db8::1]:443");
  CHECK(head.view(head.authority) == "[2001:db8::1]:443");
}

TEST_CASE("any token in capitals is a method") {
  for (const std::string method : {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "PROPFIND",
                                   "QUERY", "G", "GE", "GETS", "FROBNICATE", "-X!", "P0ST"}) {
    CAPTURE(method);
    const RequestHead head = head_for_target(method, "/x");
    CHECK(head.view(head.method) == method);
    CHECK(head.view(head.path) == "/x");
    CHECK(head.is_get == (method == "GET"));
    CHECK(head.is_head == (method == "HEAD"));
  }
}

TEST_CASE("keep-alive") {
  const auto keeps = [](std::string_view version, std::string_view connection) {
    std::string lines = "GET / HTTP/" + std::string(version) + "\r\nHost: h\r\n";
    if (!connection.empty()) lines.append("Connection: ").append(connection).append("\r\n");
    return head_of(lines).keep_alive;
  };
  CHECK(keeps("1.1", ""));
  CHECK(keeps("1.1", "keep-alive"));
  CHECK(keeps("1.1", "foo, closed"));
  CHECK_FALSE(keeps("1.1", "close"));
  CHECK_FALSE(keeps("1.1", "Foo,\tCLOSE"));
  CHECK_FALSE(keeps("1.1", "keep-alive, close"));
  CHECK_FALSE(keeps("1.1", "keep-alive\r\nConnection: close"));
  CHECK_FALSE(keeps("1.0", ""));
  CHECK(keeps("1.0", "Keep-Alive"));
  CHECK_FALSE(keeps("1.0", "keep-alive, close"));
}

TEST_CASE("HTTP/1.0 needs no Host") {
  const RequestHead head = head_of("GET / HTTP/1.0\r\n");
  CHECK(head.minor_version == 0);
  CHECK(head.fields.empty());
}

TEST_CASE("Host may be empty") {
  CHECK(head_of("GET / HTTP/1.1\r\nHost:\r\n").has(Field::kHost));
}

TEST_CASE("upgrade") {
  const auto upgrades = [](std::string_view lines) {
    return head_of("GET / HTTP/" + std::string(lines)).upgrade;
  };
  CHECK(upgrades("1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"));
  CHECK_FALSE(upgrades("1.1\r\nHost: h\r\nUpgrade: websocket\r\n"));
  CHECK_FALSE(upgrades("1.1\r\nHost: h\r\nConnection: upgrade\r\n"));
  CHECK_FALSE(upgrades("1.1\r\nHost: h\r\nUpgrade:\r\nConnection: upgrade\r\n"));
  CHECK_FALSE(upgrades("1.0\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"));
}

TEST_CASE("after an upgrade the rest is left, and can still be read as HTTP") {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  std::string_view input =
      "GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
      "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
  REQUIRE(parser.next(input) == ParseEvent::kHead);
  CHECK(parser.take_head().upgrade);
  REQUIRE(parser.next(input) == ParseEvent::kEnd);
  CHECK(input.starts_with("GET /b"));
  REQUIRE(parser.next(input) == ParseEvent::kHead);
  const RequestHead head = parser.take_head();
  CHECK(head.view(head.path) == "/b");
}

TEST_CASE("Expect: 100-continue") {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\n";
  CHECK(only(post + "Content-Length: 1\r\n\r\nx").head.expects_continue);
  CHECK(only(post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").head.expects_continue);
  CHECK_FALSE(only(post + "Content-Length: 0\r\n\r\n").head.expects_continue);
  CHECK_FALSE(head_of(post).expects_continue);
  CHECK_FALSE(only("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
                  .head.expects_continue);
  CHECK_FALSE(head_of("GET / HTTP/1.0\r\nExpect: more\r\n").expects_continue);
}

TEST_CASE("a body with a length") {
  const ParsedMessage message =
      only("POST / HTTP/1.1\r\nHost: h\r\ncontent-length:  0011\t\r\n\r\nhello\r\nworl");
  CHECK(message.head.content_length == 11);
  CHECK(message.head.has_body());
  CHECK(message.body == "hello\r\nworl");
  CHECK(only("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").body.empty());
  std::string large(300'000, 'x');
  CHECK(only("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + large).body == large);
}

TEST_CASE("a chunked body") {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  ParsedMessage message = only(head + "5\r\nhello\r\n00A\r\n\r\n world\r\n\r\n000\r\n\r\n");
  CHECK(message.head.chunked);
  CHECK(message.body == "hello\r\n world\r\n");
  CHECK(only(head + "0\r\n\r\n").body.empty());
}

TEST_CASE("chunk extensions and trailers are read and dropped") {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n";
  ParsedMessage message = only(head +
                               "3;a\r\nabc\r\n"
                               "3;a=b;c=\"d;\\\"\\\\e\t\"\r\ndef\r\n"
                               "3 ; a ; b = c\t;d=\"\"\t; e\r\nghi\r\n"
                               "0;last\r\n"
                               "X-Checksum: 1\r\nVary:\r\nConnection: close\r\n\r\n");
  CHECK(message.body == "abcdefghi");
  CHECK(message.head.keep_alive);
  REQUIRE(message.head.fields.size() == 2);
}

TEST_CASE("a higher minor version is taken as 1.1") {
  for (const std::string version : {"1.2", "1.5", "1.9"}) {
    CAPTURE(version);
    const ParsedMessage message = only("GET / HTTP/" + version + "\r\nHost: h\r\n\r\n");
    CHECK(message.head.minor_version == 1);
    CHECK(message.head.keep_alive);
  }
}

TEST_CASE("pipelined requests, with empty lines before them") {
  const Parsed parsed = feed_every_way(
      "\r\n\r\nPOST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n"
      "GET /3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nHEAD /4 HTTP/1.1\r\nHost: h\r\n\r\n\r\n");
  CHECK(parsed.error_status == 0);
  REQUIRE(parsed.messages.size() == 4);
  CHECK(parsed.messages[0].body == "abc");
  CHECK(parsed.messages[1].body == "x");
  CHECK(parsed.messages[2].head.minor_version == 0);
  CHECK(parsed.messages[3].head.is_head);
  CHECK(parsed.messages[3].complete);
  CHECK(parsed.idle);
  CHECK(parsed.may_end);
}

TEST_CASE("what follows a request that ends the connection is dropped") {
  for (const std::string first :
       {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"}) {
    const Parsed parsed = feed_every_way(first + "\x01garbage\nGET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(parsed.error_status == 0);
    CHECK(parsed.messages.size() == 1);
    CHECK(parsed.may_end);
    CHECK_FALSE(parsed.idle);
  }
}

TEST_CASE("idle, in_body and finish in every state") {
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  struct {
    std::string stream;
    bool idle, in_body, may_end;
  } const cases[] = {
      {"", true, false, true},
      {"\r", true, false, true},
      {"\r\n", true, false, true},
      {"G", false, false, false},
      {"FROB", false, false, false},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r", false, false, false},
      {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", true, false, true},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n", false, true, false},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na", false, true, false},
      {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", true, false, true},
      {chunked, false, true, false},
      {chunked + "2\r\na", false, true, false},
      {chunked + "2\r\nab\r\n", false, true, false},
      {chunked + "0\r\n", false, true, false},
      {chunked + "0\r\nA: b\r\n", false, true, false},
      {chunked + "0\r\n\r\n", true, false, true},
  };
  for (const auto& expected : cases) {
    CAPTURE(expected.stream);
    const Parsed parsed = feed_every_way(expected.stream);
    CHECK(parsed.error_status == 0);
    CHECK(parsed.idle == expected.idle);
    CHECK(parsed.in_body == expected.in_body);
    CHECK(parsed.may_end == expected.may_end);
  }
}

TEST_CASE("finish in the middle of a request is an error of its own") {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  std::string_view input = "GET / HTT";
  CHECK(parser.next(input) == ParseEvent::kNeedMore);
  CHECK(parser.finish() == ParseEvent::kError);
  CHECK(parser.error_status() == 400);
}

TEST_CASE("stopping after kEnd leaves the rest unread") {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  const std::string_view second = "GET /2 HTTP/1.1\r\n";
  const std::string both = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(second);
  std::string_view input = both;
  CHECK(parser.next(input) == ParseEvent::kHead);
  CHECK(parser.next(input) == ParseEvent::kEnd);
  CHECK(input == second);
  CHECK(parser.idle());
}

TEST_CASE("a body is not copied") {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  const std::string stream = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody";
  std::string_view input = stream;
  REQUIRE(parser.next(input) == ParseEvent::kHead);
  REQUIRE(parser.next(input) == ParseEvent::kBody);
  CHECK(parser.body().data() == stream.data() + stream.size() - 4);
}

TEST_CASE("a head that is not taken is dropped") {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  for (int i = 0; i < 3; ++i) {
    std::string_view input = "GET /abc HTTP/1.1\r\nHost: h\r\n\r\n";
    CHECK(parser.next(input) == ParseEvent::kHead);
    CHECK(parser.next(input) == ParseEvent::kEnd);
  }
  std::string_view input = "GET /last HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK(parser.next(input) == ParseEvent::kHead);
  const RequestHead head = parser.take_head();
  CHECK(head.view(head.path) == "/last");
  CHECK(head.fields.size() == 1);
}

TEST_CASE("a parser in the middle of a request may be moved") {
  const RequestLimits limits = usual_limits();
  RequestParser first(&limits);
  std::string_view input = "GET /moved HTTP/1.1\r\nHo";
  CHECK(first.next(input) == ParseEvent::kNeedMore);
  RequestParser second = std::move(first);
  input = "st: h\r\n\r\n";
  CHECK(second.next(input) == ParseEvent::kHead);
  const RequestHead head = second.take_head();
  CHECK(head.view(head.path) == "/moved");
  CHECK(head.get(Field::kHost) == "h");
}

TEST_CASE("a memo knows a head from its second time on") {
  HeadMemo memo;
  const std::string head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n";
  CHECK(memo.find(head) == nullptr);
  const RequestLimits limits = usual_limits();
  for (int i = 0; i < 2; ++i) {
    CHECK(memo.find(head) == nullptr);
    feed(head + "ab", limits, {head.size(), 2}, &memo);
  }
  REQUIRE(memo.find(head) != nullptr);
  CHECK(memo.find(head)->bytes == head);
  // One byte less, or another one anywhere, is another head.
  CHECK(memo.find(std::string_view(head).substr(0, head.size() - 1)) == nullptr);
  CHECK(memo.find("") == nullptr);
  for (std::size_t i = 0; i < head.size(); ++i) {
    std::string other = head;
    other[i] ^= 1;
    CAPTURE(i);
    CHECK(memo.find(other) == nullptr);
  }
  // What follows it is read as it comes.
  const Parsed parsed = feed(head + "xy", limits, {head.size(), 1}, &memo);
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].body == "xy");
  CHECK(parsed.messages[0].head.view(parsed.messages[0].head.path) == "/a");
}

TEST_CASE("heads that a memo knows have a number, each its own") {
  const RequestLimits limits = usual_limits();
  HeadMemo one;
  HeadMemo two;
  const std::string a = "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n";
  const std::string b = "GET /b HTTP/1.1\r\nHost: b.test\r\n\r\n";
  const auto number = [&](const std::string& head, HeadMemo& memo) {
    return feed(head, limits, {}, &memo).messages.at(0).head.number;
  };
  for (const auto& [head, memo] : {std::pair(a, &one), {b, &one}, {a, &two}}) {
    CHECK(number(head, *memo) == 0);
    CHECK(number(head, *memo) == 0);
    CHECK(number(head, *memo) != 0);
    CHECK(number(head, *memo) == number(head, *memo));
  }
  CHECK(number(a, one) != number(b, one));
  CHECK(number(a, one) != number(a, two));
}

TEST_CASE("a memo keeps no head that is refused, cut or long") {
  HeadMemo memo;
  const RequestLimits limits = usual_limits();
  const std::string refused = "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n";
  const std::string good = "GET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n";
  const std::string large =
      "GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(4096, 'x') + "\r\n\r\n";
  for (int i = 0; i < 4; ++i) {
    CHECK(feed(refused, limits, {}, &memo).error_status == 400);
    CHECK(feed(good, limits, {20}, &memo).messages.size() == 1);
    CHECK(feed(large, limits, {}, &memo).messages.size() == 1);
  }
  for (const std::string& each : {refused, good, large}) CHECK(memo.find(each) == nullptr);
}

TEST_CASE("a parser is small") {
  CHECK(sizeof(RequestParser) <= 320);
}

}  // namespace
}  // namespace httpuv::http
