// Whole connections without sockets, clocks and threads: see world.h. Every step checks order and
// framing by itself; the cases here say what else must be so.
#include <doctest/doctest.h>

#include <string>

#include "../limits.h"
#include "base/spare_strings.h"
#include "world.h"

namespace httpuv::server::test {
namespace {

const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string kUpgrade =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

std::string post(std::size_t size, const std::string& fields = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + fields + "Content-Length: " + std::to_string(size) +
         "\r\n\r\n";
}

Settings with_websocket() {
  Settings settings(usual_limits());
  settings.abilities.websocket = true;
  settings.websocket.deflate = false;
  return settings;
}

}  // namespace

TEST_CASE("answers wait for their turn") {
  World world;
  world.receive(kGet + kGet + kGet);
  REQUIRE(world.asked().size() == 3);
  world.respond(world.asked()[2], 200, "third");
  world.respond(world.asked()[1], 200, "second");
  CHECK(world.answers().empty());
  world.respond(world.asked()[0], 200, "first");
  REQUIRE(world.answers().size() == 3);
  CHECK(world.answers()[0].body == "first");
  CHECK(world.answers()[2].body == "third");
  world.close();
}

TEST_CASE("requests may come in any pieces") {
  World world;
  world.receive(post(5) + "hello" + kGet, 1);
  REQUIRE(world.asked().size() == 2);
  CHECK(world.asked()[0].body == "hello");
  world.close();
  CHECK(world.asked().empty());
}

TEST_CASE("half-closing cancels nothing") {
  World world;
  world.receive(kGet);
  world.half_close();
  REQUIRE(world.asked().size() == 1);
  CHECK(world.is_present(world.asked()[0]));
  world.advance(3'600'000);
  REQUIRE(world.asked().size() == 1);

  SUBCASE("an answer leaves, then the connection ends") {
    world.respond(world.asked()[0], 200, "late");
    CHECK(world.answers().at(0).body == "late");
    CHECK_FALSE(world.open());
  }
  SUBCASE("so does a stream, piece by piece") {
    Asked& request = world.asked()[0];
    world.start_stream(request, 200);
    world.stream(request, "one");
    world.advance(600'000);
    world.stream(request, "two");
    world.end_stream(request);
    CHECK(world.answers().at(0).body == "onetwo");
    CHECK_FALSE(world.open());
  }
  SUBCASE("a reset cancels, though nothing is read") {
    world.vanish();
    world.advance(1000);
    CHECK_FALSE(world.open());
    CHECK(world.told().back() == "abandoned");
  }
  SUBCASE("a question whether it is there tells of the reset at once") {
    world.vanish();
    CHECK_FALSE(world.is_present(world.asked()[0]));
    CHECK_FALSE(world.open());
  }
  SUBCASE("a client that takes nothing is given up") {
    world.set_room(0);
    Asked& request = world.asked()[0];
    world.start_stream(request, 200);
    world.stream(request, "piece");
    world.advance(1'000);
    world.advance(59'000);
    CHECK(world.open());
    world.advance(2'000);
    CHECK_FALSE(world.open());
    CHECK(world.peer().was_reset);
  }
}

TEST_CASE("a half-close in the middle of a request is an error") {
  World world;
  world.receive(post(5) + "he");
  world.half_close();
  CHECK(world.answers().at(0).status == 400);
  CHECK_FALSE(world.open());
}

TEST_CASE(
    "a connection ends while its body is written to the disk: the job's bytes are given back") {
  Settings settings(usual_limits());
  settings.limits.body_memory_bytes = 16;
  World world(settings);
  world.receive(post(300'000) + std::string(28, 'b'));
  world.close();
  CHECK_FALSE(world.open());
}

TEST_CASE("deadlines") {
  World world;
  SUBCASE("a connection without a request is closed after a while") {
    world.receive(kGet);
    world.respond(world.asked()[0], 200, "x");
    world.advance(74'000);
    CHECK(world.open());
    world.advance(2'000);
    CHECK_FALSE(world.open());
  }
  SUBCASE("a head that does not end is a 408") {
    world.receive("GET / HT");
    world.advance(21'000);
    CHECK(world.answers().at(0).status == 408);
  }
  SUBCASE("so is a body that does not come") {
    world.receive(post(5));
    world.advance(31'000);
    CHECK(world.answers().at(0).status == 408);
  }
  SUBCASE("an application may take its time") {
    world.receive(kGet);
    world.advance(3'600'000);
    world.respond(world.asked().at(0), 200, "x");
    CHECK(world.answers().at(0).status == 200);
  }
}

TEST_CASE("the last request of a client may take its time: nothing more is due from it") {
  World world;
  world.receive("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  world.advance(25'000);
  CHECK(world.counters().timed_out.get() == 0);
  CHECK(world.counters().refused.get() == 0);
  world.respond(world.asked().at(0), 200, "x");
  CHECK(world.answers().at(0).status == 200);
}

TEST_CASE("an answer that says close while the client sends: FIN, and what comes is dropped") {
  World world;
  world.receive(kGet + "garbage\r\n\r\n");
  world.respond(world.asked()[0], 200, "x");
  REQUIRE(world.answers().size() == 2);
  CHECK(world.answers()[1].status == 501);
  CHECK(world.peer().shut_down);
  CHECK(world.open());
  world.receive("more of it");
  CHECK(world.open());
  world.half_close();
  CHECK_FALSE(world.open());
}

TEST_CASE("100 (Continue) comes in its turn") {
  World world;
  world.receive(kGet + post(5, "Expect: 100-continue\r\n"));
  CHECK(world.peer().sent.empty());
  world.respond(world.asked()[0], 200, "x");
  CHECK(world.peer().sent.ends_with("HTTP/1.1 100 Continue\r\n\r\n"));
  world.receive("hello");
  world.respond(world.asked().at(0), 200, "y");
  CHECK(world.answers().size() == 2);
}

TEST_CASE("a slow client holds back the requests behind its answers") {
  World world;
  world.set_room(0);
  world.receive(kGet);
  world.respond(world.asked()[0], 200, std::string(300'000, 'x'));
  world.receive(kGet);
  CHECK(world.asked().empty());
  world.read_all();
  CHECK(world.asked().size() == 1);
}

TEST_CASE("streams are acknowledged when the client has them") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  world.set_room(0);
  world.start_stream(request, 200);
  world.stream(request, "0123456789", true);
  CHECK(world.acknowledged() == 0);
  world.read_all();
  CHECK(world.acknowledged() == 10);
  world.end_stream(request);
}

TEST_CASE("a stream of another length than was promised is cut") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  world.start_stream(request, 200, 10);
  world.stream(request, "short");
  world.end_stream(request);
  CHECK_FALSE(world.open());
  CHECK(world.peer().was_reset);
}

TEST_CASE("more than was promised is not sent") {
  World world;
  world.receive(kGet + kGet);
  Asked& request = world.asked()[0];
  world.start_stream(request, 200, 6);
  world.stream(request, "too much of it");
  CHECK_FALSE(world.open());
  CHECK(world.peer().was_reset);
}

TEST_CASE("large pieces leave in order with short ones") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  world.start_stream(request, 200);
  std::string all;
  for (const std::size_t size : {10, 100'000, 3, 20'000, 16'384, 16'385, 1}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    all += piece;
    world.stream(request, piece);
  }
  world.end_stream(request);
  CHECK(world.answers().at(0).body == all);
}

TEST_CASE("a large piece leaves in one write, with its chunk and with what is before it") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  world.start_stream(request, 200);
  for (int i = 0; i < 2; ++i) {
    const std::size_t before = world.peer().writes;
    world.stream(request, std::string(65'536, 'x'), true);
    CHECK(world.peer().writes == before + 1);
    CHECK(world.peer().sent.ends_with("xxx\r\n"));  // nothing of the chunk waits
  }
  world.end_stream(request);
  CHECK(world.answers().at(0).body.size() == 2 * 65'536);
}

TEST_CASE("the head of a stream waits for the first piece of the same turn") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  const std::size_t before = world.peer().writes;
  world.start_stream_with(request, 200, "one");
  CHECK(world.peer().writes == before + 1);
  CHECK(world.peer().sent.ends_with("3\r\none\r\n"));
  world.end_stream(request);
}

TEST_CASE("a stream that has just become busy has the whole time for writing") {
  World world;
  world.receive(kGet);
  Asked& request = world.asked()[0];
  world.start_stream(request, 200);
  world.advance(74'900);  // shortly before the connection is looked at again
  world.set_room(0);
  world.stream(request, "piece");
  world.advance(1'000);
  CHECK(world.open());
  world.advance(61'000);
  CHECK_FALSE(world.open());
}

TEST_CASE("a half-closed client that asks for a WebSocket behind a stream gets that first") {
  World world(with_websocket());
  world.receive(kGet + kUpgrade);
  world.half_close();
  Asked& request = world.asked()[0];
  world.start_stream(request, 200);
  world.stream(request, "whole");
  world.end_stream(request);
  CHECK(world.answers().at(0).body == "whole");
  CHECK_FALSE(world.open());
}

TEST_CASE("an observer is told of every exchange") {
  Settings settings(usual_limits());
  settings.access_log = true;
  World world(settings);
  world.receive(kGet + "HEAD /h HTTP/1.1\r\nHost: x\r\nReferer: r\r\n\r\n" + kGet);
  world.respond(world.asked()[1], 404, "none");
  world.respond(world.asked()[0], 200, "hello");
  world.receive("nonsense\r\n\r\n");
  world.close();
  const std::vector<AccessRecord>& records = world.records();
  REQUIRE(records.size() == 4);
  CHECK(records[0].request == "GET /a HTTP/1.1");
  CHECK(records[0].status == 200);
  CHECK(records[0].bytes == 5);
  CHECK(records[1].status == 404);
  CHECK(records[1].bytes == 0);
  CHECK(records[1].referer == "r");
  CHECK(records[2].status == 0);
  CHECK(records[3].status == 0);
}

TEST_CASE("nothing of HTTP lives on behind a WebSocket") {
  World world(with_websocket());
  world.receive(kUpgrade);
  CHECK(world.websocket_open());
  CHECK(world.answers().at(0).status == 101);
  // What waited for HTTP would have ended it by now; pings keep a WebSocket.
  for (int i = 0; i < 10; ++i) {
    world.advance(20'000);
    world.receive(std::string("\x8A\x80\0\0\0\0", 6));  // a Pong
  }
  CHECK(world.open());
  world.command(WsSend{world.id(), true, true, "hello"});
  CHECK(world.frames().back().payload == "hello");
  world.receive(std::string("\x88\x82\0\0\0\0\x03\xE8", 8));
  CHECK(world.frames().back().opcode == 8);
  CHECK(world.told().back() == "close");
}

TEST_CASE("a long WebSocket message counts as the memory that it is read into, until it ends") {
  constexpr std::uint64_t kBlock = base::SpareStrings::kSize;
  // 200,000 bytes, masked with zeros.
  const std::string frame =
      std::string("\x82\xff\0\0\0\0\0\x03\x0d\x40\0\0\0\0", 14) + std::string(200'000, 'm');
  const std::string_view half = std::string_view(frame).substr(0, 150'000);
  Settings settings = with_websocket();
  settings.limits.memory_bytes = 10 * kBlock;
  World world(settings);  // close() requires that nothing is charged any more
  world.receive(kUpgrade);
  const std::uint64_t before = world.budget().memory();
  SUBCASE("the message is complete") {
    world.receive(frame);
    CHECK(world.unread() == 4 * kBlock + kWsMessageCost);
    CHECK(world.budget().memory() == before + world.unread());
    world.consume_messages();
    CHECK(world.budget().memory() == before);
  }
  SUBCASE("the peer goes while one waits and another is being read") {
    world.receive(frame + std::string(half));
    CHECK(world.budget().memory() == before + 7 * kBlock + kWsMessageCost);
    world.vanish();
  }
  SUBCASE("the application closes") {
    world.receive(half);
    CHECK(world.budget().memory() == before + 3 * kBlock);
    world.command(WsClose{world.id(), 4000, "enough"});
    world.receive(frame.substr(150'000));
    CHECK(world.budget().memory() == before);
    CHECK(world.unread() == 0);
    world.receive(std::string("\x88\x82\0\0\0\0\x0F\xA0", 8));
    CHECK(world.told().back() == "close");
  }
  SUBCASE("the peer ends in the middle") {
    world.receive(half);
    world.half_close();
    CHECK(world.told().back() == "close");
  }
  SUBCASE("there is no room for a block more") {
    for (int i = 0; i < 3; ++i) world.receive(frame);
    CHECK(world.counters().overloaded.get() == 1);
    CHECK(world.peer().was_reset);
  }
  world.close();
}

TEST_CASE("requests behind a handshake with a body that is refused are answered") {
  World world(with_websocket());
  world.receive(
      "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Content-Length: 5\r\n\r\nhello" +
      kGet);
  CHECK(world.answers().at(0).status == 400);
  REQUIRE(world.asked().size() == 1);
  world.respond(world.asked()[0], 200, "x");
  CHECK(world.answers().at(1).status == 200);
}

TEST_CASE("a handshake that waits for the application") {
  Settings settings = with_websocket();
  settings.abilities.ws_waits = true;
  World world(settings);
  world.receive(kUpgrade + std::string("\x81\x81\0\0\0\0a", 7));
  REQUIRE(world.asked().size() == 1);
  CHECK(world.answers().empty());
  SUBCASE("is accepted; what came behind it is a message") {
    world.accept(world.asked()[0]);
    CHECK(world.answers().at(0).status == 101);
    CHECK(world.told().back() == "message");
  }
  SUBCASE("is refused") {
    world.respond(world.asked()[0], 403, "no");
    CHECK(world.answers().at(0).status == 403);
  }
  SUBCASE("is given up") {
    world.advance(31'000);
    CHECK(world.answers().at(0).status == 503);
    CHECK(world.asked().empty());
  }
}

TEST_CASE("a server that stops") {
  World world;
  SUBCASE("closes a connection that idles between two requests") {
    world.receive(kGet);
    world.respond(world.asked()[0], 200, "x");
    world.advance(2000);
    world.drain();
    world.advance(100);
    CHECK_FALSE(world.open());
  }
  SUBCASE("answers one more request of a client that asks all the time") {
    world.receive(kGet);
    world.respond(world.asked()[0], 200, "x");
    world.drain();
    world.advance(900);
    world.receive(kGet, 1);
    REQUIRE(world.asked().size() == 1);
    world.respond(world.asked()[0], 200, "y");
    CHECK(world.answers().at(1).field("connection") == "close");
  }
  SUBCASE("or of one that was told that the connection stays") {
    world.receive(kGet);
    world.start_stream(world.asked()[0], 200);
    world.drain();
    world.end_stream(world.asked()[0]);
    world.receive(kGet, 1);
    REQUIRE(world.asked().size() == 1);
    world.respond(world.asked()[0], 200, "y");
    CHECK(world.answers().at(1).field("connection") == "close");
  }
  SUBCASE("but waits for that only a moment") {
    world.receive(kGet);
    world.respond(world.asked()[0], 200, "x");
    world.drain();
    world.advance(1100);
    CHECK_FALSE(world.open());
  }
  SUBCASE("reads the next request first, if that has come") {
    world.receive(kGet);
    world.respond(world.asked()[0], 200, "x");
    world.drain();
    world.receive(kGet);
    REQUIRE(world.asked().size() == 1);
    world.advance(60'000);
    world.respond(world.asked()[0], 200, "y");
    CHECK(world.answers().at(1).field("connection") == "close");
  }
  SUBCASE("answers a connection that was accepted and has sent nothing") {
    world.drain();
    world.advance(1000);
    world.receive(kGet, 1);
    REQUIRE(world.asked().size() == 1);
    world.respond(world.asked()[0], 200, "x");
    CHECK(world.answers().at(0).field("connection") == "close");
  }
  SUBCASE("but waits for its first byte only a moment") {
    world.drain();
    world.advance(4000);
    CHECK_FALSE(world.open());
  }
  SUBCASE("answers a request that has come in part") {
    world.receive(kGet.substr(0, 10));
    world.drain();
    world.advance(4000);
    world.receive(kGet.substr(10));
    REQUIRE(world.asked().size() == 1);
    world.respond(world.asked()[0], 200, "x");
    CHECK(world.answers().at(0).field("connection") == "close");
    CHECK(world.answers().size() == 1);
  }
  SUBCASE("gives a head that does not come its usual answer") {
    world.receive(kGet.substr(0, 10));
    world.drain();
    world.advance(21'000);
    CHECK(world.answers().at(0).status == 408);
  }
  SUBCASE("lets one finish") {
    world.receive(kGet + kGet);
    world.drain();
    world.respond(world.asked()[0], 200, "x");
    CHECK(world.answers().at(0).field("connection") == "close");
    CHECK(world.asked().empty());
  }
}

}  // namespace httpuv::server::test
