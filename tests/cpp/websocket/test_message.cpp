// Long messages stay where they were read: in the block of a read, and in blocks that are read into
// directly.
#include "websocket/message.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/spare_strings.h"
#include "peer.h"

using namespace httpuv::websocket;
using namespace httpuv::websocket::testing;
using httpuv::base::spare_strings;
using httpuv::base::SpareStrings;

namespace {

constexpr std::size_t kBlock = SpareStrings::kSize;
constexpr std::size_t kShort = Message::kShort;

std::string payload_of(std::size_t size, std::size_t seed = 0) {
  std::string payload(size, ' ');
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>((i * 7 + i / 251 + seed));
  return payload;
}

std::string text_of(std::size_t size) {
  std::string text;
  while (text.size() + 3 <= size) text += "\xE2\x82\xAC";
  return text.append(size - text.size(), 'x');
}

// A socket as a stream reads it: at most so many bytes at a time, where the session wants them.
class Socket {
 public:
  explicit Socket(const SessionOptions& options) : session(&options) {}
  ~Socket() { spare_strings().give(std::move(block)); }

  void arrive(std::string_view bytes, std::size_t most = ~std::size_t{0}) {
    while (!bytes.empty()) {
      std::span<char> to = session.read_into();
      direct += to.empty() ? 0 : 1;
      if (to.empty()) {
        if (block.empty()) block = spare_strings().take_whole();
        to = block;
      }
      const std::size_t size = std::min({most, bytes.size(), to.size()});
      std::copy_n(bytes.data(), size, to.data());
      bytes.remove_prefix(size);
      read({to.data(), size});
    }
  }

  Session session;
  std::string block;
  std::vector<Message> messages;
  std::string others;  // control frames and the end
  std::string replies;
  int direct = 0;  // reads into a message

 private:
  void read(std::string_view input) {
    std::string* const from = input.data() == block.data() ? &block : nullptr;
    for (Event event; (event = session.next(input, from)) != Event::kNeedMore;) {
      if (event == Event::kMessage) messages.push_back(session.take_message());
      if (event == Event::kPing) others.append("P").append(session.payload());
      if (event == Event::kPong) others.append("Q").append(session.payload());
      if (event == Event::kClose) others.append("C");
      if (event == Event::kError) {
        others.append("E").append(std::to_string(close_code_of(session.fault())));
      }
      session.append_reply(replies);
    }
  }
};

const SessionOptions kUsual;

}  // namespace

TEST_CASE("a long payload that is complete in a read stays in the block of the read") {
  // 64 KiB; one that ends where the block ends; the shortest.
  for (const std::size_t size : {std::size_t{65536}, kBlock - 14, kShort, kShort - 1}) {
    Socket socket(kUsual);
    socket.block = spare_strings().take_whole();
    const char* const place = socket.block.data();
    const std::string payload = payload_of(size);
    socket.arrive(binary_frame(payload));
    REQUIRE(socket.messages.size() == 1);
    const Message& message = socket.messages.front();
    const bool stays = size >= kShort;
    REQUIRE(message.whole());
    CHECK(*message.whole() == payload);
    CHECK((message.whole()->data() - place == (size > 65535 ? 14 : 8)) == stays);
    CHECK(socket.block.empty() == stays);
    CHECK(message.held() == (stays ? kBlock : size));
    CHECK(socket.session.buffered() == 0);
  }
}

TEST_CASE("what comes behind a payload that stays is read from there") {
  Socket socket(kUsual);
  const std::string first = payload_of(40000);
  socket.arrive(text_frame("before") + binary_frame(first) + text_frame("behind") +
                control_frame(Opcode::kPing, "?") + binary_frame("", false) +
                continuation(std::string(20000, 'y')));
  REQUIRE(socket.messages.size() == 4);
  CHECK(socket.messages[0].joined() == "before");
  CHECK(socket.messages[1].joined() == first);
  CHECK(socket.messages[2].joined() == "behind");
  CHECK(socket.messages[3].joined() == std::string(20000, 'y'));
  CHECK(socket.others == "P?");
  // The beginning of a frame whose rest comes later, too.
  const std::string second = payload_of(60000, 5);
  socket.arrive(binary_frame(first) + binary_frame(second));
  REQUIRE(socket.messages.size() == 6);
  CHECK(socket.messages[4].joined() == first);
  CHECK(socket.messages[5].joined() == second);
}

TEST_CASE("the rest of a long frame is read into the message, never more than the frame") {
  Socket socket(kUsual);
  const std::string payload = payload_of(1 << 20);
  const std::string bytes = binary_frame(payload) + text_frame("next");
  socket.arrive(bytes);
  REQUIRE(socket.messages.size() == 2);
  CHECK(socket.messages[0].joined() == payload);
  CHECK(socket.messages[1].joined() == "next");
  CHECK(socket.direct == 15);
  std::size_t pieces = 0;
  socket.messages[0].each([&](std::string_view) { ++pieces; });
  CHECK(pieces == 16);
  CHECK(socket.messages[0].held() == 16 * kBlock);
}

TEST_CASE("no more is held than three times what came, whatever was announced") {
  SessionOptions huge;
  huge.max_message_bytes = ~std::uint64_t{0};
  Socket socket(huge);
  std::string frame = binary_frame(std::string(70000, 'x'));
  frame[2] = '\x7F';  // the length of 64 bits: about 2^63
  std::size_t came = 0;
  for (std::string_view rest = frame; !rest.empty(); rest.remove_prefix(1000)) {
    socket.arrive(rest.substr(0, 1000));
    came += 1000;
    REQUIRE(socket.session.buffered() <= 3 * came);
    socket.session.read_into();  // the next read that brings nothing yet
    REQUIRE(socket.session.buffered() <= 3 * came);
    if (rest.size() < 1000) break;
  }
  CHECK(socket.session.buffered() > 65000);
}

TEST_CASE("control frames between the fragments of a long message") {
  Socket socket(kUsual);
  const std::string parts[] = {payload_of(50000), payload_of(200000, 1), payload_of(10, 2),
                               payload_of(33000, 3)};
  socket.arrive(client_frame({Opcode::kBinary, parts[0], false}) +
                control_frame(Opcode::kPing, "1") + continuation(parts[1], false) +
                control_frame(Opcode::kPong, "2") + continuation(parts[2], false) +
                control_frame(Opcode::kPing, "3") + continuation(parts[3]));
  REQUIRE(socket.messages.size() == 1);
  CHECK(socket.messages[0].joined() == parts[0] + parts[1] + parts[2] + parts[3]);
  CHECK(socket.others == "P1Q2P3");
}

TEST_CASE("messages in any frames and any reads are the same") {
  std::mt19937 random(7);
  const auto number = [&](std::size_t most) { return std::size_t{random()} % (most + 1); };
  const std::size_t sizes[] = {0, 1, 125, 1024, 9000, kShort - 1, kShort, 65535, 65536, 150000};
  for (int round = 0; round < 60; ++round) {
    std::string bytes;
    std::vector<std::string> expected;
    std::string others;
    for (int i = 0; i < 6; ++i) {
      const bool text = number(1) == 0;
      const std::size_t size = sizes[number(9)] + number(3);
      expected.push_back(text ? text_of(size) : payload_of(size, number(99)));
      std::string_view rest = expected.back();
      for (bool first = true; first || !rest.empty(); first = false) {
        const std::size_t part =
            std::min(rest.size(), number(2) == 0 ? rest.size() : number(70000));
        const std::string payload(rest.substr(0, part));
        rest.remove_prefix(part);
        bytes +=
            client_frame({!first ? Opcode::kContinuation : (text ? Opcode::kText : Opcode::kBinary),
                          payload, rest.empty()});
        if (!first && rest.empty()) break;
        if (number(3) == 0) {
          bytes += control_frame(Opcode::kPing, "p");
          others += "Pp";
        }
      }
    }
    Socket socket(kUsual);
    const std::size_t most = 1 + number(round % 3 == 0 ? 3000 : 150000);
    socket.arrive(bytes, most);
    REQUIRE(socket.messages.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      REQUIRE(socket.messages[i].joined() == expected[i]);
      REQUIRE(socket.messages[i].size() == expected[i].size());
    }
    REQUIRE(socket.others == others);
    REQUIRE(socket.session.buffered() == 0);
  }
}

TEST_CASE("text is checked where it stays") {
  const std::string half = "\xE2\x82";
  for (const std::size_t size : {std::size_t{40000}, std::size_t{100000}, std::size_t{300000}}) {
    Socket cut(kUsual);
    cut.arrive(text_frame(text_of(size) + half));
    CHECK(cut.others == "E1007");
    CHECK(cut.session.buffered() == 0);
    Socket broken(kUsual);
    broken.arrive(text_frame(text_of(size) + '\xFF' + text_of(size)));
    CHECK(broken.others == "E1007");
    Socket joined(kUsual);
    joined.arrive(text_frame(text_of(size) + half, false) + continuation("\xAC"));
    REQUIRE(joined.messages.size() == 1);
    CHECK(joined.messages[0].joined() == text_of(size) + half + "\xAC");
  }
}

TEST_CASE("the end within a long message gives its blocks back") {
  for (const std::string& end : {std::string("\xFF\xFF"), control_frame(Opcode::kClose)}) {
    while (spare_strings().count() > 0) {
      const std::string used = spare_strings().take();
    }
    Socket socket(kUsual);
    socket.arrive(client_frame({Opcode::kBinary, payload_of(200000), false}) + end);
    CHECK(socket.others == (end.size() == 2 ? "E1002" : "C"));
    CHECK(socket.session.buffered() == 0);
    CHECK(spare_strings().count() == 4);
  }
  // Our own Close drops what has come, and then nothing is read into a message.
  Socket socket(kUsual);
  std::string out;
  const std::string frame = binary_frame(payload_of(200000));
  socket.arrive(std::string_view(frame).substr(0, 100000));
  CHECK(!socket.session.read_into().empty());
  REQUIRE(socket.session.append_close(out));
  CHECK(socket.session.buffered() == 0);
  CHECK(socket.session.read_into().empty());
  socket.arrive(frame.substr(100000) + control_frame(Opcode::kClose));
  CHECK(socket.messages.empty());
  CHECK(socket.session.was_clean());
}

TEST_CASE("a long compressed message is inflated into blocks, with pauses too") {
  for (const std::size_t step : {std::size_t{0}, std::size_t{20000}}) {
    SessionOptions options;
    options.inflate_step = step;
    options.max_message_bytes = 300000;
    DeflatePool pool;
    Session session(&options, {}, &pool);
    ClientDeflate client;
    for (const std::size_t size : {kShort - 1, kShort + 1, std::size_t{300000}}) {
      const std::string text = text_of(size);
      const std::string bytes = compressed_frame(client.deflate(text));
      std::string_view input = bytes;
      Event event = Event::kPause;
      while (event == Event::kPause) event = session.next(input);
      REQUIRE(event == Event::kMessage);
      const Message message = session.take_message();
      CHECK(message.joined() == text);
      CHECK(message.held() <= size + 2 * kBlock);
    }
    const std::string bytes = compressed_frame(client.deflate(text_of(300001)));
    std::string_view input = bytes;
    Event event = Event::kPause;
    while (event == Event::kPause) event = session.next(input);
    CHECK(event == Event::kError);
    CHECK(session.fault() == Fault::kMessageTooBig);
    CHECK(session.buffered() == 0);
  }
}

TEST_CASE("a message that is too long is refused before any of it is kept") {
  SessionOptions options;
  options.max_message_bytes = 100000;
  Socket socket(options);
  socket.arrive(client_frame({Opcode::kBinary, payload_of(60000), false}));
  CHECK(socket.session.buffered() == kBlock);
  socket.arrive(continuation(payload_of(40001)));
  CHECK(socket.others == "E1009");
  CHECK(socket.session.buffered() == 0);
}
