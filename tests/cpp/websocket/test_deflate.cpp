#include <doctest/doctest.h>

#include <random>
#include <string>

#include "peer.h"
#include "websocket/deflate/deflate_pool.h"
#include "websocket/deflate/deflater.h"
#include "websocket/deflate/inflater.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;

namespace {

std::string text_like(std::size_t size, unsigned seed) {
  static constexpr std::string_view words[] = {"the ",   "quick ", "{\"id\": ", "fox ",
                                               "jumps ", "over ",  "17, ",      "lazy "};
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < size) out += words[random() % 8];
  out.resize(size);
  return out;
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

// Everything a message's payload inflates to, through outputs of `room` bytes; "FAULT" if it does
// not.
std::string inflate_all(Inflater& inflater, std::string_view payload, std::size_t room = 4096) {
  std::string out;
  std::string block(room, '\0');
  const auto drain = [&](auto&& step) {
    for (;;) {
      std::size_t produced = 0;
      const Inflater::Status status = step(produced);
      out.append(block, 0, produced);
      if (status != Inflater::Status::kMore) return status == Inflater::Status::kDone;
    }
  };
  if (!drain([&](std::size_t& n) { return inflater.inflate(payload, block.data(), room, n); }))
    return "FAULT";
  if (!drain([&](std::size_t& n) { return inflater.finish(block.data(), room, n); }))
    return "FAULT";
  return out;
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out.push_back(static_cast<char>(value));
  return out;
}

}  // namespace

TEST_CASE("the examples of RFC 7692 section 7.2.3") {
  SUBCASE("one block; then the same message with the window taken over") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
    CHECK(inflate_all(inflater, bytes({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
    CHECK(inflate_all(inflater, bytes({0xf2, 0x00, 0x11, 0x00, 0x00})) == "Hello");
  }
  SUBCASE("a block without compression") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f,
                                       0x00})) == "Hello");
  }
  SUBCASE("a block with BFINAL set, and the message after it") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00})) ==
          "Hello");
    CHECK(inflate_all(inflater, bytes({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
  }
  SUBCASE("a BFINAL block with nothing behind") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
    CHECK(inflate_all(inflater, bytes({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
  }
  SUBCASE("two blocks in one message") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9,
                                       0xc9, 0x07, 0x00})) == "Hello");
  }
  SUBCASE("an empty message") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0x00})) == "");
    std::string out;
    Deflater(15, {}).compress("", out);
    CHECK(out == bytes({0x00}));
  }
}

TEST_CASE("inflating: BFINAL blocks in the middle and many of them") {
  Inflater inflater(15);
  const std::string hello = bytes({0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00});
  CHECK(inflate_all(inflater, hello + hello + bytes({0x00})) == "HelloHello");
  std::string many;
  for (int i = 0; i < 100000; ++i) many += bytes({0x03, 0x00});  // empty and final
  CHECK(inflate_all(inflater, many + hello) == "Hello");
}

TEST_CASE("inflating: what is no DEFLATE stream is a fault, for good") {
  SUBCASE("a reserved block type") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0x07, 0xff, 0xff})) == "FAULT");
    CHECK(inflater.fault() == Fault::kBadDeflate);
    CHECK(inflate_all(inflater, bytes({0x00})) == "FAULT");
    inflater.reset();
    CHECK(inflater.fault() == Fault::kNone);
    CHECK(inflate_all(inflater, bytes({0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00})) == "Hello");
  }
  SUBCASE("a message cut off inside a block") {
    std::string whole;
    Deflater(15, {6, 8}).compress(text_like(300, 1), whole);
    int refused = 0;
    for (std::size_t size = 1; size + 1 < whole.size(); ++size) {
      Inflater inflater(15);
      if (inflate_all(inflater, whole.substr(0, size)) == "FAULT") ++refused;
    }
    // Not every cut can be told: the tail's zeros may happen to end the block.
    CHECK(refused > static_cast<int>(whole.size()) * 8 / 10);
    Inflater stored(15);
    CHECK(inflate_all(stored, bytes({0x00, 0x09, 0x00, 0xf6, 0xff, 'a', 'b', 'c'})) == "FAULT");
  }
  SUBCASE("a distance beyond the start") {
    Inflater inflater(15);
    CHECK(inflate_all(inflater, bytes({0xf2, 0x00, 0x11, 0x00, 0x00})) == "FAULT");
  }
}

TEST_CASE("both ways: every window, sizes around the blocks, takeover and not") {
  DeflateTuning fast;
  DeflateTuning best{9, 9};
  for (const DeflateTuning& tuning : {fast, best}) {
    for (int bits = 8; bits <= 15; ++bits) {
      Deflater keeping(bits, tuning);
      ClientInflate client(bits);  // holds no more than the window: a longer distance fails
      Inflater inflater(15);
      for (const std::size_t size : {0, 1, 2, 30, 257, 1000, 16383, 16384, 16385, 70000}) {
        for (const bool random : {false, true}) {
          const std::string payload = random ? noise(size, 5) : text_like(size, 6);
          std::string packed = "before";
          REQUIRE(keeping.compress(payload, packed));
          REQUIRE(packed.starts_with("before"));
          std::string clear;
          REQUIRE(client.inflate(packed.substr(6), clear));
          REQUIRE(clear == payload);
          REQUIRE(inflate_all(inflater, packed.substr(6), size > 1000 ? 1000 : 1) == payload);
        }
      }
    }
  }
}

TEST_CASE("a tiny window still squeezes runs, and never refers back further than it may") {
  Deflater tiny(8, {9, 9});
  ClientInflate client(8);
  std::string packed;
  std::string clear;
  REQUIRE(tiny.compress(std::string(10000, 'a'), packed));
  CHECK(packed.size() < 100);
  REQUIRE(client.inflate(packed, clear));
  CHECK(clear == std::string(10000, 'a'));
  packed.clear();
  clear.clear();
  const std::string period = noise(300, 1);  // would match at a distance of 300, if it might
  REQUIRE(tiny.compress(period + period + period, packed));
  CHECK(packed.size() > 700);
  REQUIRE(client.inflate(packed, clear));
  CHECK(clear == period + period + period);
}

TEST_CASE("the tests' own client notices a distance beyond its window") {
  const std::string period = noise(2000, 2);
  std::string packed;
  REQUIRE(Deflater(15, {9, 9}).compress(period + period, packed));
  std::string clear;
  CHECK(!ClientInflate(10).inflate(packed, clear));
  clear.clear();
  CHECK(ClientInflate(11).inflate(packed, clear));
}

TEST_CASE("reset: nothing refers to what was before") {
  Deflater deflater(15, {9, 9});
  const std::string payload = noise(500, 3);
  std::string first;
  REQUIRE(deflater.compress(payload, first));
  std::string again;
  REQUIRE(deflater.compress(payload, again));
  CHECK(again.size() < 40);
  deflater.reset();
  std::string fresh;
  REQUIRE(deflater.compress(payload, fresh));
  CHECK(fresh == first);
  ClientInflate client;
  std::string clear;
  CHECK(client.inflate(fresh, clear));
  CHECK(clear == payload);
}

TEST_CASE("pool: compressors start empty, inflaters come back clean") {
  DeflatePool pool;
  const std::string payload = text_like(2000, 4);
  std::string one;
  std::string two;
  REQUIRE(pool.stateless_deflater(12).compress(payload, one));
  REQUIRE(pool.stateless_deflater(12).compress(payload, two));
  CHECK(one == two);

  auto inflater = pool.borrow_inflater();
  CHECK(inflate_all(*inflater, one) == payload);
  const Inflater* address = inflater.get();
  pool.give_back(std::move(inflater));
  inflater = pool.borrow_inflater();
  CHECK(inflater.get() == address);
  CHECK(inflate_all(*inflater, bytes({0xf2, 0x00, 0x11, 0x00, 0x00})) ==
        "FAULT");  // no window left from before
  pool.give_back(std::move(inflater));
  inflater = pool.borrow_inflater();
  CHECK(inflate_all(*inflater, one) == payload);

  std::string& scratch = pool.scratch();
  scratch.assign(1 << 20, 'x');
  CHECK(pool.scratch().empty());
  CHECK(pool.scratch().capacity() < (1 << 19));
}
