#include "http/message/content_coding.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace httpuv::http {
namespace {

ResponseHead head_of(const std::vector<std::pair<std::string, std::string>>& fields,
                     int status = 200) {
  ResponseHead head;
  head.status = status;
  for (const auto& [name, value] : fields) REQUIRE(head.add(name, value) == HeaderError::kNone);
  return head;
}

std::string varied(const std::vector<std::pair<std::string, std::string>>& fields) {
  ResponseHead head = head_of(fields);
  vary_by_coding(head);
  return head.fields();
}

TEST_CASE("what the application leaves to the server") {
  CHECK(may_be_coded(head_of({})));
  CHECK(may_be_coded(head_of({{"Cache-Control", "no-cache"}, {"ETag", "\"a\""}}, 404)));
  CHECK_FALSE(may_be_coded(head_of({{"Content-Encoding", "br"}})));
  CHECK_FALSE(may_be_coded(head_of({{"content-encoding", "identity"}})));
  CHECK_FALSE(may_be_coded(head_of({{"Cache-Control", "public, No-Transform"}})));
  CHECK_FALSE(may_be_coded(head_of({{"Content-Range", "bytes 0-1/5"}})));
  CHECK_FALSE(may_be_coded(head_of({{"Repr-Digest", "sha-256=:AA==:"}})));
  for (const int status : {101, 204, 206, 304}) CHECK_FALSE(may_be_coded(head_of({}, status)));
}

TEST_CASE("Vary names Accept-Encoding once") {
  CHECK(varied({}) == "Vary: Accept-Encoding\r\n");
  CHECK(varied({{"A", "1"}, {"vary", "Origin"}, {"B", "2"}}) ==
        "A: 1\r\nB: 2\r\nVary: Origin, Accept-Encoding\r\n");
  CHECK(varied({{"Vary", "Origin"}, {"Vary", "Cookie"}}) ==
        "Vary: Origin, Cookie, Accept-Encoding\r\n");
  CHECK(varied({{"Vary", "Origin, accept-encoding"}}) == "Vary: Origin, accept-encoding\r\n");
  CHECK(varied({{"Vary", "*"}}) == "Vary: *\r\n");
  CHECK(varied({{"Vary", ""}}) == "Vary: Accept-Encoding\r\n");
}

TEST_CASE("the head of a coded answer") {
  ResponseHead head = head_of({{"Content-Type", "text/plain"},
                               {"etag", "\"abc\""},
                               {"Accept-Ranges", "bytes"},
                               {"Content-Length", "5000"}});
  mark_coded(head, "gzip");
  CHECK(head.fields() ==
        "Content-Type: text/plain\r\nETag: W/\"abc\"\r\nContent-Encoding: gzip\r\n");
  CHECK(head.has_content_encoding);
  CHECK_FALSE(head.content_length);

  ResponseHead weak = head_of({{"ETag", "W/\"abc\""}});
  mark_coded(weak, "gzip");
  CHECK(weak.fields() == "ETag: W/\"abc\"\r\nContent-Encoding: gzip\r\n");
}

}  // namespace
}  // namespace httpuv::http
