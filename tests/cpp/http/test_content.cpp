// How the end of an answer's content is told, and whether any is sent.
#include <doctest/doctest.h>

#include "http/message/content.h"

namespace httpuv::http {
namespace {

ResponseHead content_head_of(int status, std::optional<std::uint64_t> content_length = {}) {
  ResponseHead head;
  head.status = status;
  head.content_length = content_length;
  return head;
}

void check(const Content& content, Framing framing, std::uint64_t length, bool sent) {
  CHECK(content.framing == framing);
  CHECK(content.length == length);
  CHECK(content.sent == sent);
}

constexpr AskedBy kGet{};
constexpr AskedBy kHead{.head = true, .connect = false, .minor_version = 1};
constexpr AskedBy kConnect{.head = false, .connect = true, .minor_version = 1};
constexpr AskedBy kOldGet{.head = false, .connect = false, .minor_version = 0};
constexpr AskedBy kOldHead{.head = true, .connect = false, .minor_version = 0};

}  // namespace

TEST_CASE("what is at hand has its length, what is made has none") {
  check(content_of(content_head_of(200), kGet, 5), Framing::kLength, 5, true);
  check(content_of(content_head_of(200), kGet, 0), Framing::kLength, 0, true);
  check(content_of(content_head_of(200, 7), kGet, 5), Framing::kLength, 5, true);
  check(content_of(content_head_of(200), kGet, {}), Framing::kChunked, 0, true);
  check(content_of(content_head_of(200), kOldGet, {}), Framing::kUntilClose, 0, true);
}

TEST_CASE("statuses without content") {
  for (const AskedBy& request : {kGet, kHead, kOldGet}) {
    check(content_of(content_head_of(204), request, 5), Framing::kNoBody, 0, false);
    check(content_of(content_head_of(304), request, {}), Framing::kNoBody, 0, false);
    check(content_of(content_head_of(304, 9), request, 0), Framing::kLength, 9, false);
    check(content_of(content_head_of(205), request, 5), Framing::kLength, 0, false);
    check(content_of(content_head_of(205), request, {}), Framing::kLength, 0, false);
  }
}

TEST_CASE("HEAD says what GET would, or nothing") {
  check(content_of(content_head_of(200), kHead, 5), Framing::kLength, 5, false);
  check(content_of(content_head_of(200, 7), kHead, 5), Framing::kLength, 7, false);
  check(content_of(content_head_of(200), kHead, 0), Framing::kNoBody, 0, false);
  check(content_of(content_head_of(200, 0), kHead, 0), Framing::kLength, 0, false);
  check(content_of(content_head_of(200), kHead, {}), Framing::kChunked, 0, false);
  check(content_of(content_head_of(200), kOldHead, {}), Framing::kUntilClose, 0, false);
}

TEST_CASE("a 2xx to CONNECT has no framing of its own") {
  check(content_of(content_head_of(200), kConnect, 5), Framing::kUntilClose, 0, true);
  check(content_of(content_head_of(200), kConnect, {}), Framing::kUntilClose, 0, true);
  check(content_of(content_head_of(204), kConnect, 5), Framing::kUntilClose, 0, false);
  check(content_of(content_head_of(403), kConnect, 5), Framing::kLength, 5, true);
}

}  // namespace httpuv::http
