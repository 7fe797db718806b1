#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "websocket/handshake.h"

using namespace httpuv::websocket;

namespace {

UpgradeRequest good() {
  UpgradeRequest request;
  request.method = "GET";
  request.upgrade = "websocket";
  request.connection = "keep-alive, Upgrade";
  request.key = "dGhlIHNhbXBsZSBub25jZQ==";
  request.version = "13";
  return request;
}

Handshake answer(const UpgradeRequest& request, const std::vector<std::string>& protocols = {}) {
  const DeflateOptions deflate;
  return answer_handshake(request, protocols, &deflate);
}

std::string header(const Handshake& handshake, std::string_view name) {
  for (const HeaderLine& line : handshake.headers) {
    if (line.name == name) return line.value;
  }
  return "(none)";
}

}  // namespace

TEST_CASE("handshake: the example of RFC 6455 section 1.3") {
  CHECK(accept_value("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  const Handshake handshake = answer(good());
  REQUIRE(handshake.accepted());
  CHECK(handshake.version == 13);
  CHECK(handshake.protocol.empty());
  CHECK(!handshake.deflate);
  std::string out;
  append_handshake(out, handshake);
  CHECK(out ==
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\n"
        "Connection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        "\r\n");
  out.clear();
  append_handshake(out, handshake, "X-A: b\r\n");
  CHECK(out.ends_with("\r\nX-A: b\r\n\r\n"));
}

TEST_CASE("handshake: case and lists as HTTP has them") {
  UpgradeRequest request = good();
  request.upgrade = "h2c, WebSocket";
  request.connection = "UPGRADE";
  CHECK(answer(request).accepted());
  request.version = "8";
  CHECK(answer(request).accepted());
  CHECK(answer(request).version == 8);
}

TEST_CASE("handshake: only GET") {
  for (const char* method : {"POST", "HEAD", "get", "CONNECT"}) {
    UpgradeRequest request = good();
    request.method = method;
    CHECK(answer(request).status == 405);
    CHECK(header(answer(request), "Allow") == "GET");
    CHECK(!answer(request).text.empty());
  }
}

TEST_CASE("handshake: a request for nothing gets 426, one for something else 400") {
  UpgradeRequest request = good();
  request.upgrade.reset();
  CHECK(answer(request).status == 426);
  CHECK(header(answer(request), "Upgrade") == "websocket");
  CHECK(header(answer(request), "Connection") == "Upgrade");
  CHECK(!wants_websocket(request));

  request.upgrade = "foo";
  CHECK(answer(request).status == 400);
  CHECK(!wants_websocket(request));
  request.upgrade = "websockets";
  CHECK(answer(request).status == 400);

  request = good();
  request.connection = "keep-alive";
  CHECK(answer(request).status == 426);
  request.connection.reset();
  CHECK(answer(request).status == 426);

  request = good();
  request.minor_version = 0;
  CHECK(answer(request).status == 426);
  CHECK(wants_websocket(good()));
}

TEST_CASE("handshake: the key") {
  UpgradeRequest request = good();
  request.key.reset();
  CHECK(answer(request).status == 400);
  for (const char* key :
       {"", "P5l8BJcZwRc=", "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQ=A"}) {
    request.key = key;
    CHECK(answer(request).status == 400);
  }
  request.key = "abcdefghijklmnopqrstuv==";  // four spare bits set
  CHECK(answer(request).accepted());
}

TEST_CASE("handshake: the version") {
  for (const char* version : {"", "12", "14", "13, 13", "013", "13 "}) {
    UpgradeRequest request = good();
    request.version = version;
    CHECK(answer(request).status == 400);
    CHECK(header(answer(request), "Sec-WebSocket-Version") == "13, 8");
  }
  UpgradeRequest request = good();
  request.version.reset();
  CHECK(answer(request).status == 400);
  CHECK(header(answer(request), "Sec-WebSocket-Version") == "13, 8");
}

TEST_CASE("handshake: subprotocols, by the client's preference") {
  UpgradeRequest request = good();
  request.protocols = "chat, superchat ,  v2.x";
  CHECK(answer(request).accepted());
  CHECK(answer(request).protocol.empty());
  CHECK(header(answer(request), "Sec-WebSocket-Protocol") == "(none)");
  CHECK(answer(request, {"v2.x", "superchat"}).protocol == "superchat");
  CHECK(header(answer(request, {"v2.x"}), "Sec-WebSocket-Protocol") == "v2.x");
  CHECK(answer(request, {"Chat"}).protocol.empty());
  for (const char* bad : {"", "foo;bar", "a,,b", "a,b,", "a b", "a, a", "\"a\"", "a,b,c,a"}) {
    request.protocols = bad;
    INFO(bad);
    CHECK(answer(request, {"a"}).status == 400);
  }
}

TEST_CASE("handshake: extensions") {
  UpgradeRequest request = good();
  request.extensions = "permessage-deflate; server_max_window_bits=foo";
  CHECK(answer(request).status == 400);
  request.extensions = "foo; bar";
  CHECK(answer(request).accepted());
  CHECK(!answer(request).deflate);
  CHECK(header(answer(request), "Sec-WebSocket-Extensions") == "(none)");
  request.extensions = "permessage-deflate; client_max_window_bits";
  CHECK(answer(request).deflate);
  CHECK(header(answer(request), "Sec-WebSocket-Extensions") ==
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  CHECK(!answer_handshake(request, {}, nullptr).deflate);
  request.extensions = "";
  CHECK(answer(request).accepted());
}

TEST_CASE("handshake: a refusal says nothing of an acceptance") {
  UpgradeRequest request = good();
  request.protocols = "a, a";
  const Handshake refusal = answer(request, {"a"});
  CHECK(!refusal.accepted());
  CHECK(refusal.protocol.empty());
  CHECK(refusal.headers.empty());
}
