// HTTP/1 without a server: bytes in, events and bytes out.
#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../limits.h"
#include "http/wire/wire.h"

namespace httpuv::http {
namespace {

struct Kept : WireExchange {
  std::string target{};
  std::string content{};              // of the request
  bool complete = false;              // it is
  std::optional<std::string> text{};  // the answer
  int status = 200;
  bool last = false;
};

// A server of a few lines: it keeps every request until the test answers it.
class Server {
 public:
  explicit Server(std::size_t max_pipelined = 64) : wire(&limits, max_pipelined) {}

  void receive(std::string_view bytes) {
    if (!wire.parses()) return;
    wire.incoming().kept().append(bytes);
    read();
  }
  void half_close() {
    wire.half_close();
    if (wire.reads() == Next::kBody) return refuse(400);
    if (wire.used_up()) wire.finish(false);
  }
  void answer(std::string_view target, std::string text, bool last = false) {
    Kept* const exchange = find(target);
    REQUIRE(exchange != nullptr);
    give(*exchange, 200, std::move(text), last);
  }
  void refuse(int status) {
    const Wire<Kept>::Refused refused = wire.refuse();
    way = refused.way;
    switch (refused.way) {
      case Refusing::kAnswer:
        refused.exchange->answer.on(AnswerEvent::kWithdraw);
        return give(*refused.exchange, status, "refused", false);
      case Refusing::kCut:
        return wire.end();
      case Refusing::kFinish:
        return wire.finish(true);
      case Refusing::kNothing:
        return;
    }
  }
  void go_on() {
    wire.incoming().on(RequestEvent::kGoOn);
    send();
  }
  void stay() {
    wire.incoming().on(RequestEvent::kStay);
    send();
  }
  Kept* find(std::string_view target) {
    Kept* found = nullptr;
    wire.exchanges().each([&](Kept& each) {
      if (each.target == target) found = &each;
    });
    return found;
  }
  std::string take_out() { return std::exchange(out, {}); }

  RequestLimits limits = usual_limits();
  Wire<Kept> wire;
  std::string out{};
  std::optional<Refusing> way{};
  bool holds = false;  // each request, before its body

 private:
  void give(Kept& exchange, int status, std::string&& text, bool last) {
    exchange.status = status;
    exchange.text = std::move(text);
    exchange.last = last;
    if (wire.is_current(exchange) && wire.incoming().side().reading()) {
      wire.incoming().on(RequestEvent::kDrop);
    }
    exchange.answer.on(AnswerEvent::kGive);
    send();
  }
  void send() {
    while (wire.turn() == Turn::kAnswer) {
      const Kept& front = wire.exchanges().front();
      ResponseHead head;
      head.status = front.status;
      const Content content = content_of(head, front.asked_by(), front.text->size());
      const bool keep = wire.keeps_alive(front, front.last);
      write_response_head(out, head, content.framing, content.length, keep, front.minor_version,
                          {});
      if (content.sent) out.append(*front.text);
      const After after = wire.close_front(keep);
      if (after != After::kGoOn) wire.finish(after == After::kLinger);
    }
    if (wire.continue_due()) wire.write_continue(out);
    if (!reading_) read();
    if (wire.used_up()) wire.finish(false);
  }
  void read() {
    const std::string all = std::exchange(wire.incoming().kept(), {});
    std::string_view input = all;
    reading_ = true;
    while (wire.reads() != Next::kNothing && step(input)) {
    }
    reading_ = false;
    if (wire.answers()) wire.incoming().kept().assign(input);
  }
  bool step(std::string_view& input) {
    Incoming& incoming = wire.incoming();
    switch (wire.next(input)) {
      case WireEvent::kNeedMore:
        return false;
      case WireEvent::kHead:
        wire.current()->target = incoming.head().view(incoming.head().target);
        if (holds) incoming.on(RequestEvent::kHold);
        if (wire.continue_due()) wire.write_continue(out);
        break;
      case WireEvent::kBody:
        wire.current()->content.append(incoming.body());
        break;
      case WireEvent::kEnd:
        wire.current()->complete = true;
        incoming.on(incoming.head().upgrade ? RequestEvent::kUpgrade : RequestEvent::kStored);
        break;
      case WireEvent::kDropped:
        break;
      case WireEvent::kError:
        refuse(incoming.error_status());
        break;
    }
    return true;
  }

  bool reading_ = false;
};

std::string get(std::string_view target, std::string_view fields = {}) {
  return std::string("GET ").append(target).append(" HTTP/1.1\r\nHost: a\r\n").append(fields) +
         "\r\n";
}
std::string post(std::string_view target, std::size_t length, std::string_view fields = {}) {
  return std::string("POST ")
             .append(target)
             .append(" HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) + "\r\n")
             .append(fields) +
         "\r\n";
}
const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
const std::string kUpgrade = get("/up", "Connection: upgrade\r\nUpgrade: other\r\n");

std::string ok(std::string_view text, std::string_view fields = {}) {
  return std::string("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n")
      .append(fields)
      .append("\r\n")
      .append(text);
}
bool has(const std::string& out, std::string_view part) {
  return out.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("answers are sent in the order of their requests") {
  Server server;
  server.receive(get("/1") + get("/2") + get("/3"));
  server.answer("/3", "three");
  server.answer("/2", "two");
  CHECK(server.out.empty());
  CHECK(server.wire.turn() == Turn::kNone);
  server.answer("/1", "one");
  CHECK(server.out == ok("one") + ok("two") + ok("three"));
  CHECK(server.wire.idle());
}

TEST_CASE("a request may come in any pieces") {
  Server server;
  for (const char c : post("/1", 3) + "abc" + get("/2")) server.receive({&c, 1});
  CHECK(server.find("/1")->content == "abc");
  CHECK(server.find("/2")->complete);
}

TEST_CASE("as many requests are open as may be; the input behind them waits") {
  Server server(2);
  server.receive(get("/1") + get("/2") + get("/3"));
  CHECK(server.find("/3") == nullptr);
  CHECK(server.wire.incoming().held() == get("/3").size());
  CHECK_FALSE(server.wire.idle());
  server.answer("/1", "one");
  CHECK(server.find("/3") != nullptr);
  CHECK(server.wire.incoming().held() == 0);
}

TEST_CASE("a request that is held is not read on") {
  Server server;
  server.holds = true;
  server.receive(post("/1", 3) + "abc" + get("/2"));
  CHECK(server.wire.reads() == Next::kNothing);
  CHECK(server.find("/1")->content.empty());
  server.holds = false;
  server.go_on();
  CHECK(server.find("/1")->content == "abc");
  CHECK(server.find("/2") != nullptr);
}

TEST_CASE("100 (Continue)") {
  Server server;
  const std::string request = post("/c", 3, "Expect: 100-continue\r\n");
  SUBCASE("is sent when the head has come") {
    server.receive(request);
    CHECK(server.take_out() == kContinue);
    server.receive("abc");
    server.answer("/c", "x");
    CHECK(server.out == ok("x"));
  }
  SUBCASE("does not overtake an answer") {
    server.receive(get("/1") + request);
    CHECK(server.out.empty());
    server.answer("/1", "one");
    CHECK(server.out == ok("one") + kContinue);
  }
  SUBCASE("is left out when the body has come") {
    server.receive(get("/1") + request + "abc");
    server.answer("/1", "one");
    CHECK(server.out == ok("one"));
  }
  SUBCASE("is left out while the request is held") {
    server.holds = true;
    server.receive(request);
    CHECK(server.out.empty());
    server.go_on();
    CHECK(server.out == kContinue);
  }
  SUBCASE("is not sent behind the answer, which ends the connection: the body may never come") {
    server.receive(get("/1") + request);
    server.answer("/c", "early");
    server.answer("/1", "one");
    CHECK(server.out == ok("one") + ok("early", "Connection: close\r\n"));
    CHECK(server.wire.state() == WireState::kLingering);
  }
}

TEST_CASE("the answer to a HEAD has the length and not the content") {
  Server server;
  server.receive("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n" + get("/2"));
  server.answer("/h", "12345");
  server.answer("/2", "x");
  CHECK(server.out == "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + ok("x"));
}

TEST_CASE("the client asks for the close") {
  Server server;
  server.receive(get("/1", "Connection: close\r\n") + get("/2"));
  CHECK(server.find("/2") == nullptr);
  CHECK_FALSE(server.wire.incoming().in_head());
  server.answer("/1", "x");
  CHECK(server.out == ok("x", "Connection: close\r\n"));
  CHECK(server.wire.state() == WireState::kLingering);
  server.receive(get("/3"));
  CHECK(server.wire.exchanges().empty());
  server.half_close();
  CHECK(server.wire.state() == WireState::kFinishing);
}

TEST_CASE("the answer is the last") {
  Server server;
  server.receive(get("/1"));
  SUBCASE("the client is silent") {
    server.answer("/1", "x", true);
    CHECK(server.wire.state() == WireState::kFinishing);
  }
  SUBCASE("a request has begun") {
    server.receive("GE");
    server.answer("/1", "x", true);
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("a request has come") {
    server.receive(get("/2"));
    server.answer("/2", "y");
    server.answer("/1", "x", true);
    CHECK(server.wire.exchanges().empty());
  }
  CHECK(server.out == ok("x", "Connection: close\r\n"));
}

TEST_CASE("HTTP/1.0") {
  Server server;
  SUBCASE("ends with the answer") {
    server.receive("GET /1 HTTP/1.0\r\n\r\n");
    server.answer("/1", "x");
    CHECK(has(server.out, "Connection: close\r\n"));
    CHECK_FALSE(server.wire.answers());
  }
  SUBCASE("or is kept, where the client asks for it") {
    server.receive("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    server.answer("/1", "x");
    CHECK(has(server.out, "Connection: keep-alive\r\n"));
    CHECK(server.wire.idle());
  }
}

TEST_CASE("the peer ends its side") {
  Server server;
  SUBCASE("between requests: the connection ends") {
    server.half_close();
    CHECK(server.wire.state() == WireState::kFinishing);
  }
  SUBCASE("behind requests: they are answered, then it ends") {
    server.receive(get("/1") + get("/2"));
    server.half_close();
    CHECK(server.wire.state() == WireState::kHalfClosed);
    server.answer("/1", "one");
    CHECK(server.wire.answers());
    server.answer("/2", "two");
    CHECK(server.out == ok("one") + ok("two"));
    CHECK(server.wire.state() == WireState::kFinishing);
  }
  SUBCASE("behind requests that wait to be read: these, too") {
    Server small(1);
    small.receive(get("/1") + get("/2"));
    small.half_close();
    small.answer("/1", "one");
    REQUIRE(small.find("/2") != nullptr);
    small.answer("/2", "two");
    CHECK(small.out == ok("one") + ok("two"));
    CHECK(small.wire.state() == WireState::kFinishing);
  }
  SUBCASE("in the middle of one: that is refused") {
    server.receive(post("/1", 3) + "a");
    server.half_close();
    CHECK(has(server.out, "HTTP/1.1 400 "));
    CHECK(server.wire.state() == WireState::kFinishing);
  }
}

TEST_CASE("input is refused") {
  Server server;
  SUBCASE("as a head: requests before it are answered first, nothing behind it is parsed") {
    server.receive(get("/1") + get("/2") + "GET nonsense\r\n\r\n" + get("/4"));
    CHECK(server.wire.state() == WireState::kRefused);
    CHECK(server.way == Refusing::kAnswer);
    server.receive(get("/5"));
    server.answer("/2", "two");
    CHECK(server.out.empty());
    server.answer("/1", "one");
    CHECK(server.out.starts_with(ok("one") + ok("two") + "HTTP/1.1 400 Bad Request\r\n"));
    CHECK(server.wire.exchanges().empty());
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("as a body: its request is answered so") {
    server.receive("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n");
    CHECK(has(server.out, "HTTP/1.1 400 "));
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("after a part of its answer: the connection is cut") {
    server.receive("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    Kept& exchange = *server.find("/c");
    exchange.answer.on(AnswerEvent::kAsk);
    exchange.answer.on(AnswerEvent::kStream);
    CHECK(server.wire.turn() == Turn::kStream);
    exchange.answer.on(AnswerEvent::kBegin);
    CHECK(server.wire.turn() == Turn::kNone);
    server.receive("nonsense\r\n");
    CHECK(server.way == Refusing::kCut);
    CHECK(server.wire.state() == WireState::kGone);
  }
  SUBCASE("after its answer was given: that is the last") {
    server.receive(get("/1") + "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    server.answer("/c", "early");
    server.receive("nonsense\r\n");
    CHECK(server.way == Refusing::kNothing);
    server.answer("/1", "one");
    CHECK(server.out == ok("one") + ok("early", "Connection: close\r\n"));
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("after its answer has left: the connection ends") {
    server.receive(post("/1", 3));
    server.answer("/1", "early");
    CHECK(server.wire.answers());
    server.refuse(408);
    CHECK(server.way == Refusing::kFinish);
    CHECK(server.out == ok("early"));
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("then the peer ends its side") {
    server.receive(get("/1") + "nonsense\r\n\r\n");
    server.half_close();
    CHECK(server.wire.state() == WireState::kRefusedHalfClosed);
    server.answer("/1", "one");
    CHECK(server.wire.state() == WireState::kFinishing);
  }
}

TEST_CASE("the rest of a request that was answered") {
  Server server;
  SUBCASE("is dropped, if it is short") {
    server.receive(post("/1", 3) + "a");
    server.answer("/1", "early");
    CHECK(server.take_out() == ok("early"));
    server.receive("bc" + get("/2"));
    server.answer("/2", "x");
    CHECK(server.out == ok("x"));
  }
  SUBCASE("ends the connection, if it is long") {
    server.receive(post("/1", 1'000'000));
    server.answer("/1", "early");
    CHECK(server.out == ok("early", "Connection: close\r\n"));
    CHECK(server.wire.state() == WireState::kLingering);
  }
  SUBCASE("or of a length that is not known") {
    server.receive("POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    server.answer("/1", "early");
    CHECK(server.wire.state() == WireState::kLingering);
  }
}

TEST_CASE("another protocol") {
  Server server;
  SUBCASE("takes over at its turn, with the bytes behind the request") {
    server.receive(get("/1") + kUpgrade + "not HTTP");
    CHECK(server.wire.reads() == Next::kNothing);
    CHECK_FALSE(server.wire.upgrade_due());
    server.answer("/1", "one");
    CHECK(server.wire.upgrade_due());
    server.receive(" at all");
    server.wire.upgrade();
    CHECK(server.wire.state() == WireState::kUpgraded);
    CHECK(server.wire.incoming().kept() == "not HTTP at all");
    CHECK(server.wire.exchanges().empty());
  }
  SUBCASE("does not; then HTTP goes on") {
    server.receive(kUpgrade + get("/2"));
    CHECK(server.find("/2") == nullptr);
    server.stay();
    server.answer("/up", "no");
    server.answer("/2", "x");
    CHECK(server.out == ok("no") + ok("x"));
  }
}

TEST_CASE("every state of a connection is reached, and ends") {
  std::set<WireState> reached{WireState::kOpen};
  std::vector<WireState> todo{WireState::kOpen};
  while (!todo.empty()) {
    const WireState state = todo.back();
    todo.pop_back();
    CHECK(after(state, WireStep::kEnd) == WireState::kGone);
    for (std::size_t i = 0; i < kWireSteps; ++i) {
      const auto step = static_cast<WireStep>(i);
      if (!may_follow(state, step)) continue;
      if (reached.insert(after(state, step)).second) todo.push_back(after(state, step));
    }
  }
  CHECK(reached.size() == kWireStates);
}

TEST_CASE("no answer follows the last") {
  for (const WireState state :
       {WireState::kLingering, WireState::kFinishing, WireState::kUpgraded, WireState::kGone}) {
    for (std::size_t i = 0; i < kWireSteps; ++i) {
      const auto step = static_cast<WireStep>(i);
      if (may_follow(state, step)) CHECK(after(state, step) > WireState::kRefusedHalfClosed);
    }
  }
}

}  // namespace httpuv::http
