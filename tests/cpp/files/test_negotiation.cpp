#include <doctest/doctest.h>

#include "coding/accept_encoding.h"
#include "files/answer/conditions.h"

using namespace httpuv::files;
using namespace httpuv::coding;

namespace {

std::string choose(std::string_view accept, std::string_view there = "br zstd gzip") {
  const auto coding = choose_coding(accept, {there.find("br") != std::string_view::npos,
                                             there.find("zstd") != std::string_view::npos,
                                             there.find("gzip") != std::string_view::npos});
  return coding ? std::string(coding_name(*coding)) : "identity";
}

}  // namespace

TEST_CASE("the content coding") {
  CHECK(choose("") == "identity");
  CHECK(choose("gzip, deflate, br, zstd") == "br");
  CHECK(choose("gzip, deflate, br, zstd", "zstd gzip") == "zstd");
  CHECK(choose("gzip, deflate, br, zstd", "gzip") == "gzip");
  CHECK(choose("gzip, deflate, br, zstd", "") == "identity");
  CHECK(choose("GZIP") == "gzip");
  CHECK(choose("x-gzip") == "gzip");
  CHECK(choose("deflate") == "identity");
  CHECK(choose("*") == "br");
  CHECK(choose("identity") == "identity");
}

TEST_CASE("weights") {
  CHECK(choose("br;q=0.5, gzip") == "gzip");
  CHECK(choose("br;q=0.5 , gzip ; q=0.8") == "gzip");
  CHECK(choose("br;q=0.8, zstd;Q=0.9, gzip;q=0.7") == "zstd");
  CHECK(choose("br;q=0, gzip;q=0.001") == "gzip");
  CHECK(choose("gzip;q=0") == "identity");
  CHECK(choose("gzip;q=0.0, *;q=0") == "identity");
  CHECK(choose("*;q=0.5, br;q=0") == "zstd");
  CHECK(choose("identity;q=1, *;q=0") == "identity");
  CHECK(choose("identity, gzip;q=0.5") == "identity");
  CHECK(choose("identity;q=0.5, gzip;q=0.5") == "gzip");
  CHECK(choose("identity;q=0.2, gzip;q=0.5") == "gzip");
  CHECK(choose("identity;q=0, gzip;q=0.1") == "gzip");
  CHECK(choose("identity;q=0") == "identity");
}

TEST_CASE("what is not a weight is not said") {
  for (const char* accept :
       {"gzip;q=2", "gzip;q=-1", "gzip;q=0.1234", "gzip;q=1.1", "gzip;q=", "gzip;q", "gzip;x=1",
        "gzip;", "gzip;q=a", "gzip q=1", ";q=1", ",,,"}) {
    CAPTURE(accept);
    CHECK(choose(accept) == "identity");
  }
  CHECK(choose("gzip;q=2, zstd") == "zstd");
  CHECK(choose(",, gzip ,") == "gzip");
  CHECK(choose("gzip;q=1.") == "gzip");
}

TEST_CASE("lists of entity tags") {
  CHECK(etag_listed("*", "\"a\"", Comparison::kStrong));
  CHECK(etag_listed("\"a\"", "\"a\"", Comparison::kStrong));
  CHECK(etag_listed("\"x\", \"a\"", "\"a\"", Comparison::kStrong));
  CHECK(etag_listed(" \"x\",, \"a\" ,", "\"a\"", Comparison::kStrong));
  CHECK(etag_listed("\"x,\\\",\"a\"", "\"a\"", Comparison::kStrong));
  CHECK_FALSE(etag_listed("W/\"a\"", "\"a\"", Comparison::kStrong));
  CHECK(etag_listed("W/\"a\"", "\"a\"", Comparison::kWeak));
  CHECK(etag_listed("\"x\",W/\"a\"", "\"a\"", Comparison::kWeak));
  for (const char* list : {"", "a", "\"b\"", "\"a", "a\"", "'a'", "\"A\"", "w/\"a\"", "W/ \"a\"",
                           "x \"a\"", "** ", "\"*\""}) {
    CAPTURE(list);
    CHECK_FALSE(etag_listed(list, "\"a\"", Comparison::kWeak));
  }
}

TEST_CASE("a weak tag of a file matches weakly only") {
  CHECK(etag_listed("\"a\"", "W/\"a\"", Comparison::kWeak));
  CHECK(etag_listed("\"x\", W/\"a\"", "W/\"a\"", Comparison::kWeak));
  CHECK_FALSE(etag_listed("\"b\"", "W/\"a\"", Comparison::kWeak));
  CHECK_FALSE(etag_listed("\"a\"", "W/\"a\"", Comparison::kStrong));
  CHECK_FALSE(etag_listed("W/\"a\"", "W/\"a\"", Comparison::kStrong));
  FileEntry entry;
  entry.etag = "W/\"a\"";
  Query query;
  query.if_range = "W/\"a\"";
  CHECK_FALSE(range_applies(entry, query));
  query.if_range = "\"a\"";
  CHECK_FALSE(range_applies(entry, query));
}

TEST_CASE("preconditions, in the order of RFC 9110 section 13.2.2") {
  FileEntry entry;
  entry.etag = "\"a\"";
  entry.last_modified = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT
  const char* same = "Sun, 06 Nov 1994 08:49:37 GMT";
  const char* before = "Sun, 06 Nov 1994 08:49:36 GMT";
  const char* after = "Sunday, 06-Nov-94 08:49:38 GMT";
  const auto check = [&](auto set) {
    Query query;
    query.now = 1'700'000'000;
    set(query);
    return check_conditions(entry, query);
  };
  CHECK(check([](Query&) {}) == Verdict::kGo);

  CHECK(check([](Query& q) { q.if_match = "\"a\""; }) == Verdict::kGo);
  CHECK(check([](Query& q) { q.if_match = "*"; }) == Verdict::kGo);
  CHECK(check([](Query& q) { q.if_match = "\"b\""; }) == Verdict::kPreconditionFailed);
  CHECK(check([](Query& q) { q.if_match = "W/\"a\""; }) == Verdict::kPreconditionFailed);

  CHECK(check([&](Query& q) { q.if_unmodified_since = same; }) == Verdict::kGo);
  CHECK(check([&](Query& q) { q.if_unmodified_since = after; }) == Verdict::kGo);
  CHECK(check([&](Query& q) { q.if_unmodified_since = before; }) == Verdict::kPreconditionFailed);
  CHECK(check([&](Query& q) { q.if_unmodified_since = "foo"; }) == Verdict::kGo);

  CHECK(check([](Query& q) { q.if_none_match = "\"a\""; }) == Verdict::kNotModified);
  CHECK(check([](Query& q) { q.if_none_match = "W/\"a\""; }) == Verdict::kNotModified);
  CHECK(check([](Query& q) { q.if_none_match = "*"; }) == Verdict::kNotModified);
  CHECK(check([](Query& q) { q.if_none_match = "\"b\""; }) == Verdict::kGo);

  CHECK(check([&](Query& q) { q.if_modified_since = same; }) == Verdict::kNotModified);
  CHECK(check([&](Query& q) { q.if_modified_since = after; }) == Verdict::kNotModified);
  CHECK(check([&](Query& q) { q.if_modified_since = before; }) == Verdict::kGo);
  CHECK(check([&](Query& q) { q.if_modified_since = "foo"; }) == Verdict::kGo);

  // A tag outdoes a date.
  CHECK(check([&](Query& q) {
          q.if_match = "\"a\"";
          q.if_unmodified_since = before;
        }) == Verdict::kGo);
  CHECK(check([&](Query& q) {
          q.if_none_match = "\"b\"";
          q.if_modified_since = same;
        }) == Verdict::kGo);
  // The first step decides.
  CHECK(check([&](Query& q) {
          q.if_match = "\"b\"";
          q.if_none_match = "\"a\"";
        }) == Verdict::kPreconditionFailed);
  CHECK(check([&](Query& q) {
          q.if_match = "\"a\"";
          q.if_none_match = "\"a\"";
        }) == Verdict::kNotModified);
  CHECK(check([&](Query& q) {
          q.if_unmodified_since = same;
          q.if_modified_since = same;
        }) == Verdict::kNotModified);

  entry.last_modified.reset();  // without a date, dates mean nothing
  CHECK(check([&](Query& q) { q.if_modified_since = same; }) == Verdict::kGo);
  CHECK(check([&](Query& q) { q.if_unmodified_since = before; }) == Verdict::kGo);
}

TEST_CASE("If-Range wants a strong match") {
  FileEntry entry;
  entry.etag = "\"a\"";
  entry.last_modified = 784111777;
  Query query;
  query.now = 1'700'000'000;
  const auto applies = [&](std::string_view validator) {
    query.if_range = validator;
    return range_applies(entry, query);
  };
  CHECK(applies(""));
  CHECK(applies("\"a\""));
  CHECK_FALSE(applies("\"b\""));
  CHECK_FALSE(applies("W/\"a\""));
  CHECK_FALSE(applies("\"a\", \"b\""));
  CHECK(applies("Sun, 06 Nov 1994 08:49:37 GMT"));
  CHECK_FALSE(applies("Sun, 06 Nov 1994 08:49:38 GMT"));
  CHECK_FALSE(applies("Sun, 06 Nov 1994 08:49:36 GMT"));
  CHECK_FALSE(applies("foo"));
  // Modified this very second: it may be again.
  query.now = *entry.last_modified;
  CHECK_FALSE(applies("Sun, 06 Nov 1994 08:49:37 GMT"));
}
