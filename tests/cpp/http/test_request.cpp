#include <doctest/doctest.h>

#include <string>

#include "http/message/request.h"

namespace httpuv::http {
namespace {

TEST_CASE("every field is found by its name, and nothing else is") {
  for (int i = 1; i < static_cast<int>(Field::kCount); ++i) {
    const auto field = static_cast<Field>(i);
    const std::string name(field_name(field));
    CAPTURE(name);
    REQUIRE_FALSE(name.empty());
    CHECK(find_field(name) == field);
    CHECK(find_field(name + "x") == Field::kOther);
    CHECK(find_field("x" + name) == Field::kOther);
    CHECK(find_field(name.substr(1)) != field);
    for (std::size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = '_';
      CHECK(find_field(other) == Field::kOther);
    }
  }
}

TEST_CASE("names that are none of ours") {
  for (const char* name : {"", "a", "ab", "x", "hosts", "x-unheard-of", "host:"}) {
    CHECK(find_field(name) == Field::kOther);
  }
  CHECK(find_field(std::string(70000, 'a')) == Field::kOther);
  CHECK(field_name(Field::kOther).empty());
  CHECK(field_name(Field::kCount).empty());
}

// The enumeration and the table of names are written apart.
TEST_CASE("names stand where the enumeration says") {
  CHECK(field_name(Field::kAccept) == "accept");
  CHECK(field_name(Field::kContentLength) == "content-length");
  CHECK(field_name(Field::kHost) == "host");
  CHECK(field_name(Field::kSecWebSocketVersion) == "sec-websocket-version");
  CHECK(field_name(Field::kTransferEncoding) == "transfer-encoding");
  CHECK(field_name(Field::kUpgrade) == "upgrade");
  CHECK(field_name(Field::kXRequestId) == "x-request-id");
}

}  // namespace
}  // namespace httpuv::http
