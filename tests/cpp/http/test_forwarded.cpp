// What proxies say, and whom of them to believe.
#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "../limits.h"
#include "http/parse/limits.h"
#include "http/parse/request_parser.h"
#include "http/proxy/forwarded.h"
#include "http/proxy/networks.h"

namespace httpuv::http {
namespace {

Networks networks(std::initializer_list<std::string_view> entries) {
  Networks result;
  for (const std::string_view each : entries) REQUIRE(result.add(each));
  return result;
}

RequestHead head_with(const std::string& fields) {
  const RequestLimits limits = usual_limits();
  RequestParser parser(&limits);
  const std::string text = "GET / HTTP/1.1\r\nHost: here\r\n" + fields + "\r\n";
  std::string_view input = text;
  REQUIRE(parser.next(input) == ParseEvent::kHead);
  return parser.take_head();
}

Forwarded read(const std::string& fields, const Networks& trusted = networks({"10.0.0.0/8"})) {
  return read_forwarded(head_with(fields), trusted);
}

}  // namespace

TEST_CASE("networks contain addresses") {
  const Networks some = networks({"10.1.0.0/16", "192.0.2.7", "2001:db8::/33", "unix"});
  CHECK(some.contain("10.1.255.255"));
  CHECK_FALSE(some.contain("10.2.0.0"));
  CHECK(some.contain("192.0.2.7"));
  CHECK(some.contain("::ffff:192.0.2.7"));
  CHECK_FALSE(some.contain("192.0.2.8"));
  CHECK(some.contain("2001:db8:7fff::1"));
  CHECK_FALSE(some.contain("2001:db8:8000::1"));
  CHECK(some.contain(""));
  CHECK_FALSE(some.contain("nonsense"));
  CHECK_FALSE(networks({"127.0.0.1"}).contain(""));
  CHECK(networks({"*"}).contain("203.0.113.9"));
  CHECK(networks({"0.0.0.0/0"}).contain("203.0.113.9"));
  CHECK_FALSE(networks({"0.0.0.0/0"}).contain("2001:db8::1"));
}

TEST_CASE("what is no network is refused") {
  Networks none;
  for (const char* text : {"", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "::/129",
                           "10.0.0.0/8x", "example.com"}) {
    CHECK_FALSE(none.add(text));
  }
  CHECK(none.empty());
}

TEST_CASE("the nearest address that is not trusted is the client's") {
  CHECK(read("X-Forwarded-For: 203.0.113.9\r\n").address == "203.0.113.9");
  CHECK(read("X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.3\r\n").address == "203.0.113.9");
  CHECK(read("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.9\r\n").address ==
        "203.0.113.9");
  CHECK(read("X-Forwarded-For: 10.0.0.4, 10.0.0.3\r\n").address == "10.0.0.4");
  CHECK(read("X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.3\r\n").address == "10.0.0.3");
  CHECK(read("X-Forwarded-For: unknown\r\n").address.empty());
  CHECK(read("X-Forwarded-For: 203.0.113.9:4711\r\n").port == 4711);
  CHECK(read("X-Forwarded-For: [2001:db8::1]:4711\r\n").address == "2001:db8::1");
  CHECK(read("X-Forwarded-For: 2001:db8::1\r\n").address == "2001:db8::1");
}

TEST_CASE("scheme and host are those that this client has used") {
  const Forwarded one = read(
      "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
      "X-Forwarded-Host: www.example\r\n");
  CHECK(one.https == true);
  CHECK(one.host == "www.example");
  const Forwarded chain = read(
      "X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.3\r\n"
      "X-Forwarded-Proto: http, https, http\r\n");
  CHECK(chain.https == true);
  CHECK(read("X-Forwarded-Proto: https\r\n").https == true);
  CHECK_FALSE(read("X-Forwarded-Proto: gopher\r\n").https.has_value());
  CHECK(read("X-Forwarded-Host: a b\r\n").host.empty());
  CHECK(
      read("X-Forwarded-Host: a\r\nX-Forwarded-Port: 8443\r\nX-Forwarded-Proto: https\r\n").host ==
      "a:8443");
  CHECK(read("X-Forwarded-Host: a\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\n").host ==
        "a");
  CHECK(read("X-Forwarded-Host: a:1\r\nX-Forwarded-Port: 8443\r\n").host == "a:1");
}

TEST_CASE("Forwarded") {
  const Forwarded one = read(
      "Forwarded: for=6.6.6.6;proto=http, "
      "For=\"[2001:db8::9]:47\";Proto=https;Host=\"www.example:1\";by=_x, "
      "for=10.0.0.3\r\n");
  CHECK(one.address == "2001:db8::9");
  CHECK(one.port == 47);
  CHECK(one.https == true);
  CHECK(one.host == "www.example:1");
  CHECK(read("Forwarded: for=_hidden\r\n").address.empty());
  CHECK(read("Forwarded: for=\"a,b\\\"\", for=203.0.113.9\r\n").address == "203.0.113.9");
  CHECK(read("Forwarded: for=\"203.0.113.9\r\n").address.empty());
  CHECK(read("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 203.0.113.9\r\n").address ==
        "203.0.113.9");
}

TEST_CASE("a host that a proxy tells takes the place of Host") {
  RequestHead head = head_with("A: b\r\n");
  head.number = 7;
  set_field(head, Field::kHost, "www.example");
  CHECK(head.number == 0);  // it is not as it came any more
  CHECK(head.get(Field::kHost) == "www.example");
  CHECK(head.view(head.path) == "/");
  set_field(head, Field::kXRequestId, "1");
  CHECK(head.get(Field::kXRequestId) == "1");
  CHECK(head.view(head.fields.back().name) == "x-request-id");
  head = head_with("X-Request-ID: a\r\nX: y\r\nX-Request-ID: b\r\n");
  set_field(head, Field::kXRequestId, "1");
  CHECK(head.joined(Field::kXRequestId) == "1");
  CHECK(head.fields.size() == 3);
}

}  // namespace httpuv::http
