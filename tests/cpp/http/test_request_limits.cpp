#include <doctest/doctest.h>

#include <string>

#include "../limits.h"
#include "feeding.h"

namespace httpuv::http {
namespace {

TEST_CASE("the head may have max_head_bytes, and not one more") {
  const std::string head = "GET /path HTTP/1.1\r\nHost: h\r\nA: bcdef\r\n\r\n";
  RequestLimits limits = usual_limits();
  limits.max_head_bytes = head.size();
  CHECK(feed_every_way(head, limits).error_status == 0);
  CHECK(feed_every_way(head + head, limits).messages.size() == 2);
  CHECK(feed_every_way("\r\n" + head, limits).error_status == 431);
  limits.max_head_bytes = head.size() - 1;
  CHECK(feed_every_way(head, limits).error_status == 431);
  CHECK(feed_every_way(head.substr(0, head.size() - 2), limits).error_status == 0);
}

TEST_CASE("a target that fills the head is a 414") {
  RequestLimits limits = usual_limits();
  limits.max_head_bytes = 64;
  CHECK(feed_every_way("GET /" + std::string(100, 'a'), limits).error_status == 414);
  CHECK(feed_every_way("GET /?" + std::string(100, 'a') + " HTTP/1.1\r\n", limits).error_status ==
        414);
  CHECK(feed_every_way("FROB /" + std::string(100, 'a'), limits).error_status == 414);
  CHECK(feed_every_way("GET / HTTP/1.1\r\nA: " + std::string(100, 'a'), limits).error_status ==
        431);
  CHECK(feed_every_way("GET / HTTP/1.1\r\n" + std::string(100, 'a'), limits).error_status == 431);
  CHECK(feed_every_way(std::string(100, 'A'), limits).error_status == 501);
  CHECK(feed_every_way(std::string(64, 'A') + " / HTTP/1.1", limits).error_status == 501);
}

TEST_CASE("empty lines before a request end, too") {
  RequestLimits limits = usual_limits();
  limits.max_head_bytes = 64;
  std::string lines;
  for (int i = 0; i < 100; ++i) lines.append("\r\n");
  CHECK(feed_every_way(lines, limits).error_status == 431);
}

TEST_CASE("header count") {
  RequestLimits limits = usual_limits();
  limits.max_header_count = 3;
  const std::string three = "GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB:\r\n";
  CHECK(feed_every_way(three + "\r\n", limits).error_status == 0);
  CHECK(feed_every_way(three + "C: 3\r\n\r\n", limits).error_status == 431);
  CHECK(feed_every_way(three + "C:", limits).error_status == 431);
  CHECK(feed_every_way(three + "C", limits).error_status == 0);
  CHECK(feed_every_way(three + "C :", limits).error_status == 400);
  const std::string chunked =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
  CHECK(feed_every_way(chunked + "A:\r\nB:\r\nC:\r\n\r\n", limits).error_status == 0);
  CHECK(feed_every_way(chunked + "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", limits).error_status == 431);
}

TEST_CASE("body length") {
  RequestLimits limits = usual_limits();
  limits.max_body_bytes = 10;
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ";
  CHECK(feed_every_way(head + "10\r\n\r\n0123456789", limits).error_status == 0);
  const Parsed refused = feed_every_way(head + "11\r\n\r\n", limits);
  CHECK(refused.error_status == 413);
  CHECK(refused.messages.empty());
  CHECK(feed_every_way(head + "18446744073709551615\r\n\r\n").error_status == 413);
}

TEST_CASE("chunked body") {
  RequestLimits limits = usual_limits();
  limits.max_body_bytes = 10;
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(feed_every_way(head + "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", limits).error_status == 0);
  CHECK(feed_every_way(head + "a\r\n0123456789\r\n0\r\n\r\n", limits).error_status == 0);
  CHECK(feed_every_way(head + "b\r\n", limits).error_status == 413);
  const Parsed refused = feed_every_way(head + "5\r\n01234\r\n6\r\n567890\r\n0\r\n\r\n", limits);
  CHECK(refused.error_status == 413);
  REQUIRE(refused.messages.size() == 1);
  CHECK(refused.messages[0].body == "01234");
}

TEST_CASE("chunk framing") {
  RequestLimits limits = usual_limits();
  limits.max_head_bytes = 100;
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string many;
  for (int i = 0; i < 1000; ++i) many.append("1\r\nx\r\n");
  const Parsed parsed = feed_every_way(head + many + "0\r\n\r\n", limits);
  CHECK(parsed.error_status == 0);
  CHECK(parsed.messages.at(0).body.size() == 1000);

  const std::string long_text(200, '0');
  CHECK(feed_every_way(head + long_text, limits).error_status == 431);
  CHECK(feed_every_way(head + "1;a=" + long_text, limits).error_status == 431);
  CHECK(feed_every_way(head + "1;a=\"" + long_text, limits).error_status == 431);
  CHECK(feed_every_way(head + "0\r\nA: " + long_text, limits).error_status == 431);
  CHECK(feed_every_way(head + "0;" + std::string(97, 'a') + "\r\n\r\n", limits).error_status ==
        431);
  std::string extensions;
  for (int i = 0; i < 20; ++i) extensions.append("1;a=0123456789012345678901234\r\nx\r\n");
  CHECK(feed_every_way(head + extensions, limits).error_status == 431);
}

TEST_CASE("the defaults take a value of 80,000 bytes") {
  const std::string value(80'000, 'v');
  const RequestLimits limits = usual_limits();
  const Parsed parsed = feed("GET / HTTP/1.1\r\nHost: h\r\nA: " + value + "\r\n\r\n", limits, {});
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].head.view(parsed.messages[0].head.fields[1].value) == value);
}

}  // namespace
}  // namespace httpuv::http
