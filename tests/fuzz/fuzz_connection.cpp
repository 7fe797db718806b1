// A whole connection: what its peer says and what the application does, interleaved by the input,
// over a transport, a clock and a pool that are played (tests/cpp/server/world.h). After every step
// World checks what was sent: answers in order, framing that an independent reader understands,
// bodies as they were given, nothing behind an end; at the end, that nothing is held or owed.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "../cpp/limits.h"
#include "world.h"

namespace {

using namespace httpuv::server;
using httpuv::server::test::Asked;
using httpuv::server::test::World;

WsSubscribe subscription(const ConnectionId& id, std::uint8_t what) {
  WsSubscribe command;
  command.id = id;
  command.topic = "topic";
  command.wanted = (what & 8) == 0;
  command.history = (what & 16) != 0;
  return command;
}

Publish publication(std::string_view data) {
  static std::uint64_t offset = 0;
  auto message = std::make_shared<Publication>(false, data, true);
  message->offset = ++offset;
  return {"topic", std::move(message)};
}

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : bytes_(reinterpret_cast<const char*>(data), size) {}
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  unsigned byte() {
    if (bytes_.empty()) return 0;
    const auto value = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return value;
  }
  std::string_view take(std::size_t size) {
    const std::string_view result = bytes_.substr(0, size);
    bytes_.remove_prefix(result.size());
    return result;
  }

 private:
  std::string_view bytes_;
};

constexpr std::string_view kHost = "Host: a\r\n";

// Requests that are right, so that the fuzzer need not find them letter by letter.
std::string request(unsigned which, std::string_view body) {
  const std::string length = "Content-Length: " + std::to_string(body.size()) + "\r\n";
  const auto make = [&](std::string_view line, std::string_view fields) {
    return std::string(line).append("\r\n").append(kHost).append(fields).append("\r\n");
  };
  switch (which % 14) {
    case 0:
      return make("GET /a HTTP/1.1", "");
    case 1:
      return make("HEAD /b HTTP/1.1", "");
    case 2:
      return make("POST /c HTTP/1.1", length).append(body);
    case 3: {
      std::string text = make("PUT /d HTTP/1.1", "Transfer-Encoding: chunked\r\n");
      if (!body.empty()) {
        const char* const digits = "0123456789abcdef";
        text.append({digits[body.size() >> 4 & 15], digits[body.size() & 15]});
        text.append("\r\n").append(body).append("\r\n");
      }
      return text.append("0\r\n\r\n");
    }
    case 4:
      return make("POST /e HTTP/1.1", length + "Expect: 100-continue\r\n");
    case 5:
      return std::string(body);
    case 6:
      return make("GET /f HTTP/1.0", "Connection: keep-alive\r\n");
    case 7:
      return make("GET /g HTTP/1.0", "");
    case 8:
      return make("GET /h HTTP/1.1", "Connection: close\r\n");
    case 9:
      return make("GET /ws HTTP/1.1",
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n");
    case 10:
      return "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n";
    case 11:
      return make("OPTIONS * HTTP/1.1", "");
    case 12:
      return make("HEAD /i HTTP/1.1", "Connection: close\r\n");
    default:
      return make("POST /j HTTP/1.1", "Content-Length: 300000\r\n");
  }
}

std::string frame(unsigned which, std::string_view payload) {
  constexpr char kOpcodes[] = {'\x81', '\x82', '\x88', '\x89', '\x8A', '\x01', '\x80', '\x82'};
  payload = payload.substr(0, 125);
  std::string text{kOpcodes[which % 8], static_cast<char>(0x80 | payload.size())};
  return text.append(4, '\0').append(payload);
}

Settings settings_of(unsigned flags, unsigned more) {
  Settings settings(usual_limits());
  settings.gzip = false;
  settings.abilities.call = (flags & 1) == 0;
  settings.abilities.on_headers = (flags & 2) != 0;
  settings.abilities.stream_body = (flags & 4) != 0;
  settings.abilities.websocket = (flags & 8) != 0;
  settings.abilities.ws_waits = (flags & 16) != 0;
  settings.abilities.connect = (flags & 32) != 0;
  settings.access_log = (flags & 64) != 0;
  settings.websocket.deflate = false;
  if ((more & 1) != 0) settings.limits.max_pipelined = 2;
  if ((more & 2) != 0) settings.limits.queue_requests = 1;
  if ((more & 4) != 0) settings.limits.request.max_body_bytes = 100;
  if ((more & 8) != 0) settings.limits.body_memory_bytes = 16;
  if ((more & 16) != 0) settings.limits.ws_max_queue = 64;
  if ((more & 32) != 0) settings.limits.ws_max_unread = 100;
  if ((more & 64) != 0) settings.limits.ws_max_message = 50;
  return settings;
}

void answer(World& world, Asked& asked, Input& input) {
  const unsigned kind = input.byte();
  constexpr int kStatuses[] = {200, 204, 205, 304, 404, 500, 200, 200};
  const int status = kStatuses[kind & 7];
  std::string body(input.take(kind >> 4));
  if ((kind & 8) != 0) body.append(std::size_t{1} << (kind >> 4 & 15) % 18, 'z');
  if (status == 304 && !body.empty()) body.clear();
  if (asked.is_head) body.clear();
  if (kind == 255) return world.respond(asked, 200, std::move(body), {{"Connection", "close"}});
  world.respond(asked, status, std::move(body));
}

// A command for one of the requests that wait.
void command(World& world, Input& input) {
  if (world.asked().empty()) return;
  const unsigned which = input.byte();
  Asked& asked = world.asked()[which % world.asked().size()];
  if (asked.websocket) {
    switch (which >> 4 & 3) {
      case 0:
        return world.respond(asked, 403, "no");
      case 1:
        return world.cut(asked);
      default:
        return world.accept(asked);
    }
  }
  if (asked.waits) return;
  const unsigned what = input.byte();
  if (asked.headers_only && what % 4 != 0) return world.go_on(asked);
  if (asked.streaming) {
    switch (what % 8) {
      case 0:
        return world.cut(asked);
      case 1:
      case 2:
        return world.end_stream(asked);
      case 3:
        return world.stream(asked, std::string(std::size_t{1} << (what >> 3) % 18, 'y'), true);
      default:
        return world.stream(asked, input.take(what >> 3), (what & 8) != 0);
    }
  }
  switch (what >> 2 & 7) {
    case 0:
      return world.cut(asked);
    case 1: {
      static_cast<void>(world.is_present(asked));
      return;
    }
    case 2:
      return world.consume(asked);
    case 3:
    case 4: {
      const bool no_body = asked.is_head;
      const unsigned length = input.byte();
      return world.start_stream(asked, (length & 128) != 0 ? 200 : 404,
                                no_body || (length & 64) == 0
                                    ? std::optional<std::uint64_t>()
                                    : std::optional<std::uint64_t>(length & 63));
    }
    default:
      return answer(world, asked, input);
  }
}

void websocket_command(World& world, Input& input) {
  const unsigned what = input.byte();
  const std::string data(input.take(what >> 3));
  switch (what & 7) {
    case 0:
      return world.command(WsClose{world.id(), 1000, data.substr(0, 100)});
    case 1:
      return world.command(WsPing{world.id(), data});
    case 2:
      return world.command(subscription(world.id(), what));
    case 3:
      return world.command(publication(data));
    case 4:
      return world.consume_messages();
    case 5:
      return world.command(WsAcknowledge{world.id()});
    case 6:
      return world.command(WsSend{world.id(), false, true, std::string(200, 'w')});
    default:
      return world.command(WsSend{world.id(), false, true, data});
  }
}

void step(World& world, Input& input) {
  const unsigned what = input.byte();
  const unsigned rest = what >> 4;
  switch (what & 15) {
    case 0:
    case 1: {
      const unsigned which = input.byte();
      return world.receive(request(which, input.take(which >> 3)), rest == 0 ? 1 : SIZE_MAX);
    }
    case 2:
      return world.receive(input.take(rest * 4));
    case 3: {
      const unsigned which = input.byte();
      return world.receive(frame(which, input.take(which >> 3)));
    }
    case 4:
    case 5:
    case 6:
    case 7:
      return command(world, input);
    case 8:
      return websocket_command(world, input);
    case 9:
      return world.set_room(rest == 0 ? 0 : std::size_t{1} << rest);
    case 10:
      return rest == 15 ? world.read_all() : world.take(std::size_t{1} << rest);
    case 11:
      return world.advance(std::int64_t{1} << rest);
    case 12:
      return world.work_off();
    case 13:
      return rest < 8 ? world.half_close() : world.receive(std::string(rest * 10, 'b'));
    case 14:
      if (rest == 0) return world.vanish();
      if (rest == 1) return world.drain();
      return world.advance(10'000);
    default:
      return world.work_off();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  Input input(data, size);
  const unsigned flags = input.byte();
  World world(settings_of(flags, input.byte()));
  while (!input.empty() && world.open()) step(world, input);
  if (world.open()) world.close();
  world.work_off();
  return 0;
}
