// What the WebSocket tests share: a client's frames, a reader of the server's, and ways to cut
// input.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "websocket/deflate/zlib_api.h"
#include "websocket/frame/frame.h"
#include "websocket/session.h"

namespace httpuv::websocket::testing {

inline constexpr std::string_view kKey("\x37\xfa\x21\x3d", 4);  // the one of RFC 6455 section 5.7

struct ClientFrame {
  Opcode opcode = Opcode::kText;
  std::string payload;
  bool fin = true;
  int rsv = 0;  // 4 = RSV1
  std::string key = std::string(kKey);
};

// A masked frame, as a client writes it.
inline std::string client_frame(const ClientFrame& frame) {
  std::string out;
  out.push_back(
      static_cast<char>((frame.fin ? 0x80 : 0) | frame.rsv << 4 | static_cast<int>(frame.opcode)));
  const std::size_t size = frame.payload.size();
  const int length_bytes = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  out.push_back(static_cast<char>(0x80 | (length_bytes == 0   ? size
                                          : length_bytes == 2 ? 126
                                                              : 127)));
  for (int i = length_bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(size >> (8 * i)));
  out += frame.key;
  for (std::size_t i = 0; i < size; ++i)
    out.push_back(static_cast<char>(frame.payload[i] ^ frame.key[i % 4]));
  return out;
}

inline std::string text_frame(std::string payload, bool fin = true) {
  return client_frame({Opcode::kText, std::move(payload), fin});
}
inline std::string binary_frame(std::string payload, bool fin = true) {
  return client_frame({Opcode::kBinary, std::move(payload), fin});
}
inline std::string continuation(std::string payload, bool fin = true) {
  return client_frame({Opcode::kContinuation, std::move(payload), fin});
}
inline std::string control_frame(Opcode opcode, std::string payload = {}) {
  return client_frame({opcode, std::move(payload)});
}
inline std::string compressed_frame(std::string payload, bool fin = true,
                                    Opcode opcode = Opcode::kText) {
  return client_frame({opcode, std::move(payload), fin, 4});
}

inline std::string close_payload(int code, std::string_view reason = {}) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return payload.append(reason);
}

// One frame of the server's, taken from the front of `bytes`. The opcode is 0xF if there is none.
struct ServerFrame {
  Opcode opcode = static_cast<Opcode>(0xF);
  bool fin = false;
  bool rsv1 = false;
  bool masked = false;
  std::string payload;
};

inline ServerFrame take_server_frame(std::string_view& bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  ServerFrame frame;
  if (bytes.size() < 2) return frame;
  std::uint64_t size = byte(1) & 0x7F;
  std::size_t header = 2;
  if (size >= 126) {
    header += size == 126 ? 2 : 8;
    if (bytes.size() < header) return frame;
    size = 0;
    for (std::size_t i = 2; i < header; ++i) size = size << 8 | byte(i);
  }
  if (bytes.size() - header < size) return frame;
  frame.fin = (byte(0) & 0x80) != 0;
  frame.rsv1 = (byte(0) & 0x40) != 0;
  frame.masked = (byte(1) & 0x80) != 0;
  frame.opcode = static_cast<Opcode>(byte(0) & 0x0F);
  frame.payload = bytes.substr(header, size);
  bytes.remove_prefix(header + size);
  return frame;
}

// A client's view of permessage-deflate on plain zlib calls: one inflater for the whole connection,
// as with context takeover. It is also right without takeover: what starts afresh does not refer
// back.
class ClientInflate {
 public:
  explicit ClientInflate(int window_bits = 15) { zlib::inflate_init(stream_, window_bits); }
  ~ClientInflate() { zlib::inflate_end(stream_); }
  ClientInflate(const ClientInflate&) = delete;
  ClientInflate& operator=(const ClientInflate&) = delete;

  // False if the payload is no DEFLATE stream or refers further back than the window. The output is
  // taken one byte at a time, so that every reference back has to be found in the window.
  bool inflate(std::string payload, std::string& out) {
    payload.append("\x00\x00\xFF\xFF", 4);
    zlib::set_input(stream_, payload.data(), payload.size());
    for (;;) {
      char byte = 0;
      zlib::set_output(stream_, &byte, 1);
      const int result = zlib::inflate(stream_, Z_SYNC_FLUSH);
      if (stream_.avail_out == 0) out.push_back(byte);
      if (result == Z_BUF_ERROR || (result == Z_OK && stream_.avail_out != 0))
        return stream_.avail_in == 0;
      if (result != Z_OK) return false;
    }
  }

 private:
  zlib::Stream stream_ = {};
};

// A client's compressor: Z_SYNC_FLUSH without its tail, the window kept from message to message.
class ClientDeflate {
 public:
  explicit ClientDeflate(int window_bits = 15, int level = 6) {
    zlib::deflate_init(stream_, level, window_bits, 8, Z_DEFAULT_STRATEGY);
  }
  ~ClientDeflate() { zlib::deflate_end(stream_); }
  ClientDeflate(const ClientDeflate&) = delete;
  ClientDeflate& operator=(const ClientDeflate&) = delete;

  std::string deflate(std::string_view payload) {
    std::string out;
    if (payload.empty()) return std::string(1, '\0');
    zlib::set_input(stream_, payload.data(), payload.size());
    char block[4096];
    do {
      zlib::set_output(stream_, block, sizeof block);
      zlib::deflate(stream_, Z_SYNC_FLUSH);
      out.append(block, sizeof block - stream_.avail_out);
    } while (stream_.avail_out == 0);
    out.resize(out.size() - 4);
    return out;
  }

 private:
  zlib::Stream stream_ = {};
};

// Calls `run` with ways to cut `bytes`: whole, byte by byte, and some at random.
inline void for_each_split(std::string_view bytes,
                           const std::function<void(const std::vector<std::string_view>&)>& run) {
  run({bytes});
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < bytes.size(); ++i) pieces.push_back(bytes.substr(i, 1));
  run(pieces);
  std::mt19937 random(20240501);
  for (int round = 0; round < 20; ++round) {
    pieces.clear();
    const std::size_t most = round % 2 == 0 ? 7 : bytes.size() / 2 + 1;
    for (std::size_t i = 0; i < bytes.size();) {
      const std::size_t size =
          std::min(bytes.size() - i, static_cast<std::size_t>(random()) % (most + 1));
      pieces.push_back(bytes.substr(i, size));
      i += size;
    }
    run(pieces);
  }
}

inline std::string show(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, 60)) {
    if (c >= ' ' && c <= '~' && c != '\\') {
      out.push_back(c);
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(c);
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 0xF]);
    }
  }
  if (bytes.size() > 60) out += "...(" + std::to_string(bytes.size()) + ")";
  return out;
}

// Feeds the pieces and writes down what comes out, one word an event: "text(hi) ping(x)
// close(1000,bye) error(1002)". Answers go to `replies`.
inline std::string feed(Session& session, const std::vector<std::string_view>& pieces,
                        std::string* replies = nullptr) {
  std::string log;
  std::string sink;
  for (std::string_view input : pieces) {
    for (;;) {
      const Event event = session.next(input);
      if (event == Event::kNeedMore) break;
      if (event == Event::kPause) continue;
      if (!log.empty()) log += ' ';
      switch (event) {
        case Event::kMessage: {
          const bool text = session.is_text();
          log += (text ? "text(" : "binary(") + show(session.take_message().joined()) + ")";
          break;
        }
        case Event::kPing:
          log += "ping(" + show(session.payload()) + ")";
          break;
        case Event::kPong:
          log += "pong(" + show(session.payload()) + ")";
          break;
        case Event::kClose:
          log += "close(" + std::to_string(session.close_code()) + "," +
                 show(session.close_reason()) + ")";
          break;
        case Event::kError:
          log += "error(" + std::to_string(close_code_of(session.fault())) + ")";
          break;
        case Event::kNeedMore:
        case Event::kPause:
          break;
      }
      session.append_reply(replies != nullptr ? *replies : sink);
    }
    if (!input.empty()) log += " LEFT(" + std::to_string(input.size()) + ")";
  }
  return log;
}

}  // namespace httpuv::websocket::testing
