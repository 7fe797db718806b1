// Compressed messages out, alone and fanned out, as a client with one window for the whole
// connection reads them.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "peer.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;

namespace {

SessionOptions all_compressed() {
  SessionOptions options;
  options.compress_threshold = 0;
  return options;
}

DeflateParams params(bool no_takeover, int bits) {
  DeflateParams params;
  params.server_no_context_takeover = no_takeover;
  params.server_window_bits = static_cast<std::uint8_t>(bits);
  return params;
}

std::string prose(std::size_t size, unsigned seed) {
  static constexpr std::string_view words[] = {"alpha ",   "beta ", "gamma ", "delta ",
                                               "epsilon ", "zeta ", "eta ",   "theta "};
  std::mt19937 random(seed);
  std::string out;
  while (out.size() < size) out += words[random() % 8];
  out.resize(size);
  return out;
}

// Reads server frames as a client would.
class Client {
 public:
  explicit Client(int bits) : inflate_(bits) {}

  std::string read(std::string_view bytes) {
    const ServerFrame frame = take_server_frame(bytes);
    REQUIRE(bytes.empty());
    REQUIRE(frame.fin);
    if (!frame.rsv1) return frame.payload;
    ++compressed_;
    std::string out;
    return inflate_.inflate(frame.payload, out) ? out : "(does not inflate)";
  }
  int compressed() const { return compressed_; }

 private:
  ClientInflate inflate_;
  int compressed_ = 0;
};

}  // namespace

TEST_CASE("compressed out: threshold and the message's own wish") {
  SessionOptions options;
  options.compress_threshold = 100;
  DeflatePool pool;
  Session session(&options, params(true, 15), &pool);
  const auto is_compressed = [&](std::size_t size, bool compress) {
    std::string out;
    CHECK(session.append_message(out, true, std::string(size, 'a'), compress));
    return (static_cast<unsigned char>(out[0]) & 0x40) != 0;
  };
  CHECK(!is_compressed(99, true));
  CHECK(is_compressed(100, true));
  CHECK(!is_compressed(100, false));
  CHECK(session.would_compress(100));
  CHECK(!session.would_compress(99));
  CHECK(session.deflate_window_bits() == 15);
}

TEST_CASE("compressed out: with takeover the second time is smaller, without it is the same") {
  const SessionOptions options = all_compressed();
  const std::string payload = prose(3000, 1);
  DeflatePool pool({6, 8});
  for (const bool no_takeover : {false, true}) {
    Session session(&options, params(no_takeover, 12), &pool);
    Client client(12);
    std::string first;
    std::string second;
    session.append_message(first, true, payload);
    session.append_message(second, true, payload);
    CHECK(client.read(first) == payload);
    CHECK(client.read(second) == payload);
    CHECK(client.compressed() == 2);
    if (no_takeover) {
      CHECK(second == first);
    } else {
      CHECK(second.size() * 3 < first.size());
    }
  }
}

TEST_CASE(
    "compressed out: what does not shrink goes out as it is, unless the window is taken over") {
  const SessionOptions options = all_compressed();
  std::mt19937 random(2);
  std::string noise(1000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  DeflatePool pool;
  for (const bool no_takeover : {false, true}) {
    Session session(&options, params(no_takeover, 12), &pool);
    Client client(12);
    for (int i = 0; i < 3; ++i) {
      std::string out;
      session.append_message(out, false, noise);
      CHECK(client.read(out) == noise);
    }
    CHECK(client.compressed() == (no_takeover ? 0 : 3));
  }
}

TEST_CASE("compressed out: empty and tiny messages") {
  const SessionOptions options = all_compressed();
  DeflatePool pool;
  for (const bool no_takeover : {false, true}) {
    Session session(&options, params(no_takeover, 15), &pool);
    Client client(15);
    for (const char* payload : {"", "a", "", "", "ab", "a"}) {
      std::string out;
      session.append_message(out, true, payload);
      CHECK(client.read(out) == payload);
    }
  }
}

TEST_CASE("fan-out: one frame for all, whatever they agreed on") {
  const SessionOptions options = all_compressed();
  const std::string payload = prose(2000, 3);
  PreparedMessage message(true, payload);
  CHECK(message.payload() == payload);
  CHECK(message.is_text());
  DeflatePool pool;
  Session plain(&options);
  Session wide(&options, params(false, 15), &pool);
  Session wide_too(&options, params(true, 15), &pool);
  Session narrow(&options, params(false, 9), &pool);
  Session tiny(&options, params(true, 8), &pool);

  CHECK(Client(15).read(plain.prepared_frame(message)) == payload);
  CHECK(plain.prepared_frame(message) == message.plain());
  CHECK(Client(15).read(wide.prepared_frame(message)) == payload);
  CHECK(wide_too.prepared_frame(message).data() == wide.prepared_frame(message).data());
  CHECK(Client(9).read(narrow.prepared_frame(message)) == payload);
  CHECK(Client(8).read(tiny.prepared_frame(message)) == payload);
  CHECK(wide.prepared_frame(message, false) == message.plain());
  CHECK(wide.prepared_frame(message).size() < payload.size() / 2);

  SessionOptions only_large;
  only_large.compress_threshold = 2001;
  Session picky(&only_large, params(false, 15), &pool);
  CHECK(picky.prepared_frame(message) == message.plain());
}

TEST_CASE("a large message compressed elsewhere, in slices, goes out like a prepared one") {
  const SessionOptions options = all_compressed();
  const std::string payload = prose(1'000'000, 8);
  DeflatePool loop;
  Session session(&options, params(false, 12), &loop);
  Client client(12);
  std::string out;
  REQUIRE(session.append_message(out, true, "before, before, before"));
  CHECK(client.read(out) == "before, before, before");
  PreparedMessage message(true, payload);
  SlicedCompression compression(message, {12, 9});
  int slices = 0;
  while (compression.compress()) ++slices;
  CHECK(slices >= 14);
  CHECK_FALSE(compression.compress());
  const std::string_view made = session.prepared_frame(message);
  CHECK(made.size() < payload.size() / 2);
  CHECK(client.read(made) == payload);
  CHECK(Client(9).read(message.compressed(9, loop)) == payload);
  out.clear();
  REQUIRE(session.append_message(out, true, "before, before, before"));
  CHECK(client.read(out) == "before, before, before");
}

TEST_CASE("fan-out: what does not shrink is one plain frame") {
  const SessionOptions options = all_compressed();
  DeflatePool pool;
  Session session(&options, params(false, 15), &pool);
  PreparedMessage message(false, "x");
  CHECK(session.prepared_frame(message).data() == message.plain().data());
  PreparedMessage empty(true, "");
  CHECK(session.prepared_frame(empty) == std::string_view("\x81\x00", 2));
}

TEST_CASE("fan-out between a session's own messages: its compressor never refers past it") {
  // The client's window holds the broadcast, our compressor's does not: if it went on as before,
  // its distances would be short by the broadcast's size, and the client would read nonsense.
  const SessionOptions options = all_compressed();
  const std::string own = prose(1500, 4);
  const std::string broadcast = prose(700, 5);
  DeflatePool pool({6, 8});
  Session session(&options, params(false, 15), &pool);
  Client client(15);
  std::string out;
  session.append_message(out, true, own);
  CHECK(client.read(out) == own);
  PreparedMessage message(true, broadcast);
  CHECK(client.read(session.prepared_frame(message)) == broadcast);
  out.clear();
  session.append_message(out, true, own);
  CHECK(client.read(out) == own);
  // And the window is of use again from here on.
  std::string again;
  session.append_message(again, true, own);
  CHECK(again.size() * 3 < out.size());
  CHECK(client.read(again) == own);
}

TEST_CASE("the test above can fail: without the reset the client reads nonsense") {
  const std::string own = prose(1500, 4);
  const std::string broadcast = prose(700, 5);
  Deflater ours(15, {6, 8});
  Deflater shared(15, {6, 8});
  ClientInflate client;
  std::string clear;
  std::string packed;
  REQUIRE(ours.compress(own, packed));
  REQUIRE(client.inflate(packed, clear));
  packed.clear();
  REQUIRE(shared.compress(broadcast, packed));
  REQUIRE(client.inflate(packed, clear));
  packed.clear();
  clear.clear();
  REQUIRE(ours.compress(own, packed));
  const bool read = client.inflate(packed, clear);
  CHECK_FALSE((read && clear == own));
}

TEST_CASE("fan-out and own messages in any order, every window, many rounds") {
  const SessionOptions options = all_compressed();
  for (const bool no_takeover : {false, true}) {
    for (int bits = 8; bits <= 15; ++bits) {
      DeflatePool pool;
      Session session(&options, params(no_takeover, bits), &pool);
      Client client(bits);
      std::mt19937 random(static_cast<unsigned>(bits));
      for (int round = 0; round < 120; ++round) {
        const std::string payload = prose(random() % 6000, static_cast<unsigned>(random() % 5));
        if (random() % 3 == 0) {
          PreparedMessage message(true, payload);
          REQUIRE(client.read(session.prepared_frame(message, random() % 4 != 0)) == payload);
        } else {
          std::string out;
          REQUIRE(session.append_message(out, true, payload, random() % 4 != 0));
          REQUIRE(client.read(out) == payload);
        }
      }
      CHECK(client.compressed() > 20);
    }
  }
}

TEST_CASE("inflating pauses after each step, wherever the input is cut, and loses nothing") {
  SessionOptions options = all_compressed();
  options.inflate_step = std::size_t{64} * 1024;
  DeflatePool pool;
  Deflater deflater(15, DeflateTuning());
  // One that inflates a thousandfold and many small ones: neither gives more in a step.
  std::string input;
  std::vector<std::string> sent;
  for (const std::size_t size : {std::size_t{4} << 20, std::size_t{10'000}, std::size_t{3}}) {
    for (int i = 0; i < 20; ++i) {
      if (size > 100'000 && i > 1) break;
      std::string body;
      REQUIRE(deflater.compress(std::string(size, static_cast<char>('a' + i)), body));
      deflater.reset();
      sent.emplace_back(size, static_cast<char>('a' + i));
      const std::size_t half = body.size() / 2;
      input += compressed_frame(body.substr(0, half), false);
      input += control_frame(Opcode::kPing, "between");
      input += continuation(body.substr(half));
    }
  }
  for (const std::size_t cut : {std::size_t{1}, std::size_t{7}, input.size()}) {
    CAPTURE(cut);
    Session session(&options, params(true, 15), &pool);
    std::vector<std::string> received;
    int pauses = 0;
    std::size_t since_pause = 0;
    for (std::size_t at = 0; at < input.size(); at += cut) {
      std::string_view rest = std::string_view(input).substr(at, cut);
      Event event = Event::kNeedMore;
      while ((event = session.next(rest)) != Event::kNeedMore) {
        REQUIRE(event != Event::kError);
        if (event == Event::kPause) {
          ++pauses;
          since_pause = 0;
        }
        if (event == Event::kMessage) {
          received.push_back(session.take_message().joined());
          if (received.back().size() <= options.inflate_step) since_pause += received.back().size();
          CHECK(since_pause <= options.inflate_step + DeflatePool::kBlock);
        }
      }
      CHECK(rest.empty());
    }
    CHECK((received == sent));
    CHECK(pauses >= 2 * 64);
  }
}

TEST_CASE("a pause in a message that is not wanted any more ends with it") {
  SessionOptions options = all_compressed();
  options.inflate_step = std::size_t{64} * 1024;
  DeflatePool pool;
  Deflater deflater(15, DeflateTuning());
  std::string body;
  REQUIRE(deflater.compress(std::string(1 << 20, 'x'), body));
  const std::string input =
      compressed_frame(body) + control_frame(Opcode::kClose, close_payload(1000));
  Session session(&options, params(true, 15), &pool);
  std::string_view rest = input;
  REQUIRE(session.next(rest) == Event::kPause);
  std::string out;
  REQUIRE(session.append_close(out));
  CHECK(session.next(rest) == Event::kClose);
  CHECK(session.buffered() == 0);
}
