#include <doctest/doctest.h>

#include <string>

#include "http/message/response.h"

namespace httpuv::http {
namespace {

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string written(const ResponseHead& head, Framing framing, std::uint64_t length = 0,
                    bool keep_alive = true, int minor = 1, std::string_view date = {}) {
  std::string out = "before|";
  write_response_head(out, head, framing, length, keep_alive, minor, date);
  REQUIRE(out.starts_with("before|"));
  return out.substr(7);
}

TEST_CASE("the usual answer") {
  ResponseHead head;
  CHECK(head.add("Content-Type", "text/plain") == HeaderError::kNone);
  CHECK(head.add("X-A", " b c\t") == HeaderError::kNone);
  CHECK(head.add("Empty", "") == HeaderError::kNone);
  CHECK(written(head, Framing::kLength, 12, true, 1, kDate) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-A: b c\r\nEmpty: \r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 12\r\n\r\n");
}

TEST_CASE("framing") {
  const ResponseHead head;
  CHECK(written(head, Framing::kNoBody) == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(written(head, Framing::kLength, 0) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  CHECK(written(head, Framing::kLength, UINT64_MAX) ==
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n");
  CHECK(written(head, Framing::kChunked) ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(written(head, Framing::kUntilClose) == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_CASE("persistence is said where it is not the default, and close to everybody") {
  const ResponseHead head;
  CHECK(written(head, Framing::kNoBody, 0, true, 1) == "HTTP/1.1 200 OK\r\n\r\n");
  CHECK(written(head, Framing::kNoBody, 0, false, 1) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  CHECK(written(head, Framing::kNoBody, 0, true, 0) ==
        "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n");
  CHECK(written(head, Framing::kNoBody, 0, false, 0) ==
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
}

TEST_CASE("switching protocols") {
  ResponseHead head;
  head.status = 101;
  CHECK(head.add("Connection", "upgrade") == HeaderError::kNone);
  CHECK(head.add("Upgrade", "websocket") == HeaderError::kNone);
  CHECK_FALSE(head.close);
  CHECK(written(head, Framing::kNoBody) ==
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

TEST_CASE("an application's Date stands") {
  ResponseHead head;
  CHECK(head.add("date", "today") == HeaderError::kNone);
  CHECK(head.has_date);
  CHECK(written(head, Framing::kNoBody, 0, true, 1, kDate) ==
        "HTTP/1.1 200 OK\r\ndate: today\r\n\r\n");
}

TEST_CASE("status lines") {
  ResponseHead head;
  const auto line = [&head](int status, std::string_view reason = {}) {
    head.status = status;
    head.reason = reason;
    const std::string text = written(head, Framing::kNoBody);
    return text.substr(0, text.find('\r'));
  };
  CHECK(line(404) == "HTTP/1.1 404 Not Found");
  CHECK(line(404, "Gone fishing") == "HTTP/1.1 404 Gone fishing");
  CHECK(line(299) == "HTTP/1.1 299 ");
  CHECK(line(299, "Odd") == "HTTP/1.1 299 Odd");
  CHECK(line(999) == "HTTP/1.1 999 ");
  CHECK(line(600) == "HTTP/1.1 600 ");
  CHECK(line(418) == "HTTP/1.1 418 ");
  CHECK(line(200, "OK\r\nX-Evil: 1") == "HTTP/1.1 200 OK");
  for (const int status : {-1, 0, 99, 1000, 2000000000}) {
    CHECK(line(status) == "HTTP/1.1 500 Internal Server Error");
  }
}

TEST_CASE("reason phrases") {
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(511) == "Network Authentication Required");
  for (const int status : {-200, 0, 99, 299, 418, 512, 599, 600, 1000}) {
    CHECK(reason_phrase(status).empty());
  }
  for (int status = 100; status < 600; ++status) {
    ResponseHead head;
    head.status = status;
    const std::string expected =
        "HTTP/1.1 " + std::to_string(status) + " " + std::string(reason_phrase(status)) + "\r\n";
    CHECK(written(head, Framing::kNoBody).starts_with(expected));
  }
}

TEST_CASE("nothing unsafe gets in") {
  ResponseHead head;
  for (const char* name : {"", "a b", "a:", "a\r", "a\n", "\x80", "a(b)"}) {
    CHECK(head.add(name, "v") == HeaderError::kBadName);
  }
  for (const std::string& value :
       {std::string("a\rb"), std::string("a\nb"), std::string("a\r\nb: c"), std::string("a\0b", 3),
        std::string("\x7F"), std::string("\x1B"), std::string("v\r\n"), std::string("\n")}) {
    CHECK(head.add("n", value) == HeaderError::kBadValue);
  }
  CHECK(head.add("n", "\xC3\xA4\ttab") == HeaderError::kNone);
  CHECK(head.fields() == "n: \xC3\xA4\ttab\r\n");
}

TEST_CASE("framing is the server's") {
  ResponseHead head;
  CHECK(head.add("Transfer-Encoding", "chunked") == HeaderError::kFraming);
  CHECK(head.add("transfer-encoding", "identity") == HeaderError::kFraming);
  for (const char* value : {"", "x", "-1", "+1", "1 1", "1,1", "0x1", "18446744073709551616"}) {
    CHECK(head.add("Content-Length", value) == HeaderError::kFraming);
  }
  CHECK_FALSE(head.content_length.has_value());
  CHECK(head.add("CONTENT-LENGTH", " 12 ") == HeaderError::kNone);
  CHECK(head.content_length == 12);
  CHECK(head.add("Content-Length", "12") == HeaderError::kNone);
  CHECK(head.add("Content-Length", "13") == HeaderError::kFraming);
  CHECK(head.content_length == 12);
  CHECK(head.add("Connection", "foo") == HeaderError::kNone);
  CHECK_FALSE(head.close);
  CHECK(head.add("connection", "x, Close") == HeaderError::kNone);
  CHECK(head.close);
  CHECK(head.add("Keep-Alive", "timeout=5") == HeaderError::kNone);
  CHECK(head.fields().empty());
}

TEST_CASE("what is noted besides") {
  ResponseHead head;
  CHECK(head.add("Server", "x") == HeaderError::kNone);
  CHECK(head.add("VARY", "Accept") == HeaderError::kNone);
  CHECK(head.add("content-Type", "a/b") == HeaderError::kNone);
  CHECK(head.add("Content-Encoding", "gzip") == HeaderError::kNone);
  head.add_serialized("A: 1\r\nB: 2\r\n");
  CHECK(head.has_content_encoding);
  CHECK_FALSE(head.has_date);
  CHECK(head.fields() ==
        "Server: x\r\nVARY: Accept\r\ncontent-Type: a/b\r\nContent-Encoding: gzip\r\n"
        "A: 1\r\nB: 2\r\n");
  CHECK(head.get("vary") == "Accept");
  CHECK(head.get("b") == "2");
  CHECK(head.get("C").empty());
}

TEST_CASE("identity is no coding that is sent") {
  ResponseHead head;
  CHECK(head.add("Content-Encoding", "Identity") == HeaderError::kNone);
  CHECK(head.has_content_encoding);
  CHECK(head.fields().empty());
}

TEST_CASE("the name of a stream of events is for the server") {
  ResponseHead head;
  CHECK(head.add("httpuv-Events", " name ") == HeaderError::kNone);
  CHECK(head.events == "name");
  CHECK(head.fields().empty());
  head.clear();
  CHECK(head.events.empty());
}

TEST_CASE("body_forbidden") {
  for (const int status : {100, 101, 199, 204, 304}) CHECK(body_forbidden(status));
  for (const int status : {200, 203, 205, 206, 303, 400, 500}) CHECK_FALSE(body_forbidden(status));
}

TEST_CASE("plain_response") {
  PlainResponse response = plain_response(404);
  CHECK(response.head.status == 404);
  CHECK(response.head.fields() == "Content-Type: text/plain; charset=utf-8\r\n");
  CHECK(response.body == "Not Found");
  CHECK(plain_response(500, "sorry").body == "sorry");
}

}  // namespace
}  // namespace httpuv::http
