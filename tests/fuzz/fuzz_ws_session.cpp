// Whole sessions: a peer that sends anything at all, in any pieces, while we send and close. The
// events do not depend on the pieces, the answers are well-formed frames, limits hold.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text/utf8.h"
#include "websocket/session.h"

using namespace httpuv::websocket;

namespace {

constexpr std::size_t kLimit = 20000;

void require(bool condition) {
  if (!condition) std::abort();
}

// What the server wrote: frames, whole, unmasked, nothing behind a Close.
void check_output(std::string_view out) {
  bool closed = false;
  while (!out.empty()) {
    require(!closed && out.size() >= 2);
    const auto first = static_cast<unsigned char>(out[0]);
    const auto second = static_cast<unsigned char>(out[1]);
    require((first & 0xB0) == 0x80 && (second & 0x80) == 0);
    std::size_t header = 2;
    std::size_t size = second;
    if (second >= 126) {
      header = second == 126 ? 4 : 10;
      require(out.size() >= header);
      size = 0;
      for (std::size_t i = 2; i < header; ++i)
        size = size << 8 | static_cast<unsigned char>(out[i]);
      require(size >= 126);
    }
    require(out.size() - header >= size);
    const unsigned opcode = first & 0x0F;
    if (opcode >= 8) require(size <= 125);
    closed = opcode == 8;
    if (closed) {
      std::uint16_t code = 0;
      std::string_view reason;
      require(parse_close(out.substr(header, size), code, reason) == Fault::kNone);
    }
    out.remove_prefix(header + size);
  }
}

struct Run {
  std::string log;  // the events and what came with them
  std::string out;
};

struct Setup {
  SessionOptions options;
  DeflateParams deflate;
  bool compression = false;
  std::uint8_t close_after = 0;  // messages; then we close
  bool echo = false;
};

void on_message(const Setup& setup, Session& session, Run& run, int& messages) {
  const std::string message = session.take_message().joined();
  require(message.size() <= kLimit);
  if (session.is_text()) require(httpuv::base::is_utf8(message));
  run.log.append(session.is_text() ? "T" : "B")
      .append(std::to_string(message.size()))
      .append(message);
  if (setup.echo) {
    require(session.append_message(run.out, session.is_text(), message));
    PreparedMessage prepared(session.is_text(), message);
    run.out += session.prepared_frame(prepared);
  }
  if (++messages == setup.close_after) require(session.append_close(run.out, 1000, "enough"));
}

Run play(const Setup& setup, std::string_view bytes, std::size_t piece) {
  Run run;
  DeflatePool pool;
  Session session =
      setup.compression ? Session(&setup.options, setup.deflate, &pool) : Session(&setup.options);
  int messages = 0;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, std::max<std::size_t>(piece, 1));
    bytes.remove_prefix(input.size());
    for (Event event; (event = session.next(input)) != Event::kNeedMore;) {
      switch (event) {
        case Event::kMessage:
          on_message(setup, session, run, messages);
          break;
        case Event::kPing:
          run.log.append("P").append(session.payload());
          break;
        case Event::kPong:
          run.log.append("Q").append(session.payload());
          break;
        case Event::kClose:
          run.log.append("C")
              .append(std::to_string(session.close_code()))
              .append(session.close_reason());
          require(!session.is_open());
          break;
        case Event::kError:
          run.log.append("E").append(std::to_string(static_cast<int>(session.fault())));
          require(session.fault() != Fault::kNone && !session.is_open());
          break;
        case Event::kNeedMore:
        case Event::kPause:
          break;
      }
      session.append_reply(run.out);
    }
    require(input.empty());
    require(session.buffered() <= kLimit);
  }
  check_output(run.out);
  return run;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  Setup setup;
  setup.options.max_message_bytes = kLimit;
  setup.options.compress_threshold = 10;
  setup.compression = (data[0] & 1) != 0;
  setup.deflate.server_no_context_takeover = (data[0] & 2) != 0;
  setup.deflate.client_no_context_takeover = (data[0] & 4) != 0;
  setup.echo = (data[0] & 8) != 0;
  setup.close_after = static_cast<std::uint8_t>(data[0] >> 4);
  setup.deflate.server_window_bits = static_cast<std::uint8_t>(8 + data[1] % 8);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);

  const Run whole = play(setup, bytes, bytes.size());
  const Run cut = play(setup, bytes, 1 + data[1] / 16u);
  // An error may be seen later or earlier than another in the same piece, but never differently.
  require(whole.log == cut.log && whole.out == cut.out);
  return 0;
}
