// The PROXY protocol, in both versions and in pieces.
#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "http/proxy/proxy_preamble.h"

namespace httpuv::http {
namespace {

using Result = ProxyPreamble::Result;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

std::string binary(char command, char family, const std::string& rest) {
  std::string text = kSignature;
  text.push_back(command);
  text.push_back(family);
  text.push_back(static_cast<char>(rest.size() >> 8));
  text.push_back(static_cast<char>(rest.size() & 0xFF));
  return text + rest;
}

// All there is of it, and then of every beginning.
Result read_preamble(const std::string& preamble, ProxyPreamble& into) {
  for (std::size_t size = 0; size < preamble.size(); ++size) {
    ProxyPreamble part;
    const Result result = part.read(std::string_view(preamble).substr(0, size));
    if (result == Result::kError) return result;
    CHECK(result == Result::kNeedMore);
  }
  const Result result = into.read(preamble + "GET / HTTP/1.1\r\n");
  if (result == Result::kDone) CHECK(into.size == preamble.size());
  return result;
}

Result read_preamble(const std::string& preamble) {
  ProxyPreamble into;
  return read_preamble(preamble, into);
}

}  // namespace

TEST_CASE("version 1") {
  ProxyPreamble preamble;
  SUBCASE("IPv4") {
    REQUIRE(read_preamble("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n", preamble) ==
            Result::kDone);
    CHECK(preamble.address == "203.0.113.9");
    CHECK(preamble.port == 4711);
  }
  SUBCASE("IPv6") {
    REQUIRE(read_preamble("PROXY TCP6 2001:db8::9 2001:db8::1 4711 80\r\n", preamble) ==
            Result::kDone);
    CHECK(preamble.address == "2001:db8::9");
  }
  SUBCASE("not told") {
    REQUIRE(read_preamble("PROXY UNKNOWN ffff:: ffff:: 1 2\r\n", preamble) == Result::kDone);
    CHECK(preamble.address.empty());
  }
}

TEST_CASE("version 2") {
  ProxyPreamble preamble;
  SUBCASE("IPv4, with details behind") {
    const std::string rest("\xCB\x00\x71\x09\xC0\x00\x02\x01\x12\x67\x00\x50\x04\x00\x00", 15);
    REQUIRE(read_preamble(binary(0x21, 0x11, rest), preamble) == Result::kDone);
    CHECK(preamble.address == "203.0.113.9");
    CHECK(preamble.port == 4711);
  }
  SUBCASE("IPv6") {
    std::string rest("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09", 16);
    rest += std::string(16, '\1') + std::string("\x12\x67\x00\x50", 4);
    REQUIRE(read_preamble(binary(0x21, 0x21, rest), preamble) == Result::kDone);
    CHECK(preamble.address == "2001:db8::9");
    CHECK(preamble.port == 4711);
  }
  SUBCASE("the proxy itself") {
    REQUIRE(read_preamble(binary(0x20, 0x00, ""), preamble) == Result::kDone);
    CHECK(preamble.address.empty());
  }
  SUBCASE("a Unix socket") {
    REQUIRE(read_preamble(binary(0x21, 0x31, std::string(216, 'x')), preamble) == Result::kDone);
    CHECK(preamble.address.empty());
  }
}

TEST_CASE("what is no preamble") {
  CHECK(read_preamble("GET / HTTP/1.1\r\n\r\n") == Result::kError);
  CHECK(read_preamble("PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n") == Result::kError);
  CHECK(read_preamble("PROXY TCP4 203.0.113.9 192.0.2.1 4711 80 1\r\n") == Result::kError);
  CHECK(read_preamble("PROXY TCP4 203.0.113.9 192.0.2.1 4711 65536\r\n") == Result::kError);
  CHECK(read_preamble("PROXY TCP4 2001:db8::9 192.0.2.1 4711 80\r\n") == Result::kError);
  CHECK(read_preamble("PROXY TCP6 203.0.113.9 2001:db8::1 4711 80\r\n") == Result::kError);
  CHECK(read_preamble("PROXY UDP4 203.0.113.9 192.0.2.1 4711 80\r\n") == Result::kError);
  CHECK(read_preamble("PROXY " + std::string(200, 'x')) == Result::kError);
  CHECK(read_preamble(binary(0x31, 0x11, std::string(12, 'x'))) == Result::kError);
  CHECK(read_preamble(binary(0x22, 0x11, std::string(12, 'x'))) == Result::kError);
  CHECK(read_preamble(binary(0x21, 0x11, "short")) == Result::kError);
  CHECK(read_preamble(binary(0x21, 0x11, std::string(5000, 'x'))) == Result::kError);
}

}  // namespace httpuv::http
