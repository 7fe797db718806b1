// Requests that are refused, each with its status, whole and cut everywhere.
#include <doctest/doctest.h>

#include <string>

#include "feeding.h"

namespace httpuv::http {
namespace {

using namespace std::string_literals;

void refuses(const std::string& stream, int status) {
  CAPTURE(stream);
  const Parsed parsed = feed_every_way(stream);
  CHECK(parsed.error_status == status);
  CHECK((parsed.messages.empty() || !parsed.messages.back().complete));
}

// With these lines for fields, besides Host.
void refuses_fields(const std::string& lines, int status = 400) {
  refuses("POST / HTTP/1.1\r\nHost: h\r\n" + lines + "\r\n\r\n", status);
}

void refuses_target(const std::string& target, const std::string& method = "GET") {
  refuses(method + " " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", 400);
}

void refuses_host(const std::string& lines) {
  refuses("GET / HTTP/1.1\r\nAccept: */*\r\n" + lines + "\r\n", 400);
}

void refuses_chunks(const std::string& chunks, int status = 400) {
  refuses("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, status);
}

TEST_CASE("request line") {
  const std::string host = "Host: h\r\n\r\n";
  refuses("GET  / HTTP/1.1\r\n" + host, 400);
  refuses("GET /  HTTP/1.1\r\n" + host, 400);
  refuses("GET / HTTP/1.1 \r\n" + host, 400);
  refuses(" GET / HTTP/1.1\r\n" + host, 400);
  refuses("GET\t/ HTTP/1.1\r\n" + host, 400);
  refuses("GET /\tHTTP/1.1\r\n" + host, 400);
  refuses("GET / HTTP/1.1\t\r\n" + host, 400);
  refuses("GET HTTP/1.1\r\n" + host, 400);
  refuses("GET / \r\n" + host, 400);
  refuses("GET\r\n" + host, 400);
  refuses("GET / http/1.1\r\n" + host, 400);
  refuses("GET / HTTPS/1.1\r\n" + host, 400);
  refuses("GET / HTTP/1\r\n" + host, 400);
  refuses("GET / HTTP/1.\r\n" + host, 400);
  refuses("GET / HTTP/1.10\r\n" + host, 400);
  refuses("GET / HTTP/01.1\r\n" + host, 400);
  refuses("GET / HTTP 1.1\r\n" + host, 400);
  refuses("GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400);
  refuses("GET / HTTP/1.1\r\n\tHost: h\r\n\r\n", 400);
}

TEST_CASE("HTTP/0.9") {
  refuses("GET /\r\n\r\n", 400);
  refuses("GET /\r\nHost: h\r\n\r\n", 400);
}

TEST_CASE("versions") {
  for (const std::string version : {"0.0", "0.9", "2.0", "2.1", "3.0", "9.9"}) {
    refuses("GET / HTTP/" + version + "\r\nHost: h\r\n\r\n", 505);
  }
  refuses("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
  refuses("PRI * HTTP/2.0\r\n", 505);
  refuses("GET / HTTP/5.6", 505);  // before the head is complete
}

TEST_CASE("methods") {
  refuses("get / HTTP/1.1\r\nHost: h\r\n\r\n", 501);
  refuses("Get / HTTP/1.1\r\nHost: h\r\n\r\n", 501);
  refuses("FROb / HTTP/1.1\r\nHost: h\r\n\r\n", 501);
  refuses("ANNOUNCE / HTTP/1.1\r\nHost: h\r\n\r\n", 501);
  refuses("G@T / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("GET: / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("G\xC3\x84T / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("\x16\x03\x01\x02"s, 400);  // TLS
  refuses("GET\0 / HTTP/1.1\r\nHost: h\r\n\r\n"s, 400);
  refuses("\0GET / HTTP/1.1\r\nHost: h\r\n\r\n"s, 400);
}

TEST_CASE("targets") {
  for (const std::string target : {"a",
                                   "a/b",
                                   "?a",
                                   "example.com:80",
                                   "http:/a",
                                   "http:///",
                                   "http://",
                                   "http://?a",
                                   "http://:80/",
                                   "http://a:b/",
                                   "http://a:70000/",
                                   "http://[::1/",
                                   "http://[1]/",
                                   "http://user@/",
                                   "ftp://a/",
                                   "ws://a/",
                                   "mailto:a@b",
                                   "*",
                                   "/*\r",
                                   "/\x01",
                                   "/\x7F",
                                   "/\x80",
                                   "/\xC3\xA4",
                                   "/a b",
                                   "#",
                                   "http://a\\b/",
                                   "*a"}) {
    refuses_target(target);
  }
  refuses_target("/\0"s);
  refuses_target("*a", "OPTIONS");
  refuses_target("*?a", "OPTIONS");
  for (const std::string target : {"/", "*", "a", "a:", ":1", "1.2.3.4", "[::1]", "a:1/", "a:1?b",
                                   "http://a:1/", "u@a:1", "a:65536"}) {
    refuses_target(target, "CONNECT");
  }
}

TEST_CASE("Host") {
  refuses_host("");
  refuses_host("Host: a\r\nHost: a\r\n");
  refuses_host("Host: a\r\nHost:\r\n");
  for (const std::string host :
       {"a b",     "a, b",     "a/b",   "http://a",  "a@b",    "a:b",
        "a:-1",    "a:65536",  "a:1:2", "::1",       "[::1",   "[::1]a",
        "[::1]:x", "[g::1]",   "[]",    "[1.2.3.4]", "[v1.a]", "[fe80::1%25lo]",
        ":80",     "%",        "a%2",   "a%zz",      "a\"b",   "a<b",
        "a\\b",    "\xC3\xA4", "a\tb",  "a?b",       "a#b"}) {
    refuses_host("Host: " + host + "\r\n");
  }
  refuses("GET http://a/ HTTP/1.1\r\n\r\n", 400);
  refuses("GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n", 400);
  refuses("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400);
  refuses("GET / HTTP/1.0\r\nHost: a/b\r\n\r\n", 400);
}

TEST_CASE("field lines") {
  for (const std::string line :
       {"A : b", "A\t: b", ": b", "A", "A b: c", "A\x80: b", "A(): b", "A[]: b", "A\"b: c",
        "A: b\x01", "A: \x7F", "A: b\x0B", "A: b\x0C", "Content-Length : 0", "Connection : close",
        "A: b\r\n c", "A: b\r\n\tc", "A:\r\n b", "A: b\r\n \r\nC: d"}) {
    refuses_fields(line);
  }
  refuses_fields("A: b\0c"s);
  refuses_fields("A\0: b"s);
  refuses_fields("\0: b"s);
}

TEST_CASE("bare CR and bare LF") {
  const std::string line = "GET / HTTP/1.1";
  refuses("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("\rGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("\r\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("\r\n\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("\n\r\n", 400);
  refuses(line + "\nHost: h\n\n", 400);
  refuses(line + "\rHost: h\r\n\r\n", 400);
  refuses(line + "\r\rHost: h\r\n\r\n", 400);
  refuses(line + "\r\nHost: h\nA: b\r\n\r\n", 400);
  refuses(line + "\r\nHost: h\rA: b\r\n\r\n", 400);
  refuses(line + "\r\nHost: h\r\r\n\r\n", 400);
  refuses(line + "\r\nHost:\nA: b\r\n\r\n", 400);
  refuses(line + "\r\nHost:\rA: b\r\n\r\n", 400);
  refuses(line + "\r\nHost: h\r\n\n", 400);
  refuses(line + "\r\nHost: h\r\n\rA: b\r\n\r\n", 400);
  refuses(line + "\r\nHost: h\r\n\r\r\n", 400);
  refuses(line + "\r\nHost: h\r\nA\r\nb: c\r\n\r\n", 400);
  refuses("GET\r\n/ HTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("GET /\rHTTP/1.1\r\nHost: h\r\n\r\n", 400);
  refuses("GET /\nHTTP/1.1\r\nHost: h\r\n\r\n", 400);
}

TEST_CASE("Content-Length") {
  for (const std::string value :
       {"", " ", "+1", "-1", "0x1", "1a", "1,1", "1, 1", "1 1", "1.0", "1e1", "\"1\"", "one",
        "18446744073709551616", "99999999999999999999999", "1\x0B"}) {
    refuses_fields("Content-Length: " + value);
  }
  refuses_fields("Content-Length: 1\r\nContent-Length: 1");
  refuses_fields("Content-Length: 1\r\nContent-Length: 2");
  refuses_fields("Content-Length: 0\r\ncontent-length: 0");
  refuses_fields("Content-Length:\r\nContent-Length: 1");
  refuses_fields("Content-Length: 1\r\nContent-Length:");
  refuses("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\n", 400);
  refuses("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

TEST_CASE("Transfer-Encoding") {
  for (const std::string value :
       {"", " ", "identity", "gzip", "chunked, chunked", "chunked, gzip", "chunked,", ",chunked",
        "gzip,, chunked", "chunked;a=b", "xchunked", "chunkedx", "chunked chunked", "\"chunked\"",
        "chunked\x0B", "gzip chunked", "chunked, identity", "chunked\t"}) {
    refuses_fields("Transfer-Encoding: " + value);
  }
  for (const std::string codings :
       {"gzip, chunked", "GZIP,\tChunked", "deflate\r\nTransfer-Encoding: gzip, chunked",
        "identity\r\nTransfer-Encoding: chunked", "x-gzip , compress,chunked", "br, chunked"}) {
    refuses_fields("Transfer-Encoding: " + codings, 501);
  }
  refuses_fields("Transfer-Encoding: gzip, pigeons, chunked", 501);
  refuses_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked");
  refuses_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip");
  refuses_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding:");
  refuses_fields("Transfer-Encoding:\r\nTransfer-Encoding: chunked");
  refuses_fields("Transfer-Encoding: chunked\r\nContent-Length: 5");
  refuses_fields("Content-Length: 5\r\nTransfer-Encoding: chunked");
  refuses_fields("Content-Length: 0\r\nTransfer-Encoding: identity");
  refuses_fields("Transfer-Encoding:\r\nContent-Length: 5");
  refuses_fields("Transfer-Encoding : chunked");
  refuses_fields("Transfer-Encoding\x0B: chunked");
  refuses_fields(
      "Transfer-Encoding:\x0B"
      "chunked");
  refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
}

TEST_CASE("other fields that come once") {
  refuses_fields("Content-Type: a/b\r\nContent-Type: c/d");
  refuses_fields("Expect: 100-continue\r\nExpect: 100-continue", 417);
  refuses_fields("Expect: more", 417);
  refuses_fields("Expect: 100-continue, more", 417);
  refuses_fields("Expect:", 417);
}

TEST_CASE("chunks") {
  for (const std::string chunks :
       {"\r\n",           "g\r\n",       "-1\r\n",   "+1\r\n",    "0x1\r\n",
        " 1\r\nx\r\n",    "1 \r\nx\r\n", "1\t\r\n",  "1\nx\r\n",  "1\rx\r\n",
        "1\r\r\nx\r\n",   "1\r\nxx\r\n", "1\r\nx\n", "1\r\nx\r1", "1\r\nx0\r\n",
        "1\r\nx\r\n\r\n", "1 1\r\n",     "1,\r\n",   "0\n\r\n",   "\n0\r\n\r\n"}) {
    refuses_chunks(chunks);
  }
  refuses_chunks("1\0\r\n"s);
  refuses_chunks("10000000000000000\r\n", 413);
  refuses_chunks("ffffffffffffffff\r\n", 413);
}

TEST_CASE("chunk extensions") {
  for (const std::string extension :
       {";",         "; ",           ";;a",          ";a;",           ";=b",    ";a=",
        ";a= ",      ";a=b c",       ";a b",         ";a ",           ";a=b ",  ";a=\"b",
        ";a=\"b\"c", ";a=\"b\n\"",   ";a=\"b\x01\"", ";a=\"\\\x01\"", ";a\n",   ";a\x01",
        ";a=b=c",    ";a=\"b\r\n\"", ";a=(",         ";\x80",         ";a=b\n", " ;a\n",
        ";a=\"b\" ", ";a@"}) {
    refuses_chunks("1" + extension + "\r\nx\r\n");
  }
  refuses_chunks("1;a\rb\r\nx\r\n");
}

TEST_CASE("trailers") {
  for (const std::string trailer :
       {"A : b", "A", ": b", " A: b", "A: b\r\n c", "A: b\nC: d", "A: b\rC: d", "A: \x01",
        "Host: evil", "hOST:", "Content-Length: 0", "Content-Length: x",
        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip"}) {
    refuses_chunks("0\r\n" + trailer + "\r\n\r\n");
  }
  refuses_chunks("0\r\n\n");
  refuses_chunks("0\r\n\rx");
  refuses_chunks("0\r\nA: b\r\n\n");
}

TEST_CASE("a bad second request does not harm the first") {
  const Parsed parsed =
      feed_every_way("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\nHost: h\r\n\r\n");
  REQUIRE(parsed.messages.size() == 1);
  CHECK(parsed.messages[0].complete);
  CHECK(parsed.error_status == 400);
}

}  // namespace
}  // namespace httpuv::http
