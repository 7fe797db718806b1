// The opening handshake: whatever the fields say, the answer is one of the few it may be, and fit
// to be sent.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/text/ascii.h"
#include "websocket/deflate/extension.h"
#include "websocket/handshake.h"

using namespace httpuv::websocket;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// The next line of the input; nullopt for one that starts with '-', as for an absent field.
std::optional<std::string_view> take_field(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  if (line.starts_with('-')) return std::nullopt;
  return line;
}

void check_accepted(const Handshake& answer, const std::vector<std::string>& protocols) {
  require(answer.version == 13 || answer.version == 8);
  require(answer.protocol.empty() ||
          std::find(protocols.begin(), protocols.end(), answer.protocol) != protocols.end());
  if (answer.deflate) {
    const DeflateParams& deflate = *answer.deflate;
    require(deflate.server_window_bits >= 8 && deflate.server_window_bits <= 15);
    require(deflate.client_window_bits >= 8 && deflate.client_window_bits <= 15);
  }
  for (const HeaderLine& line : answer.headers) {
    require(httpuv::base::is_token(line.name) && httpuv::base::is_field_value(line.value));
    // Our own answer to an offer must be within the grammar.
    if (line.name == "Sec-WebSocket-Extensions") {
      DeflateOptions all;
      all.server_max_window_bits = 15;
      require(answer.deflate && !negotiate_extensions(line.value, &all).malformed &&
              negotiate_extensions(line.value, &all).deflate);
    }
  }
  std::string out;
  append_handshake(out, answer);
  require(out.ends_with("\r\n\r\n") && out.find("\r\n\r\n") == out.size() - 4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t knobs = data[0];
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<std::string> protocols = {"chat", "a", "v1.json"};
  DeflateOptions deflate;
  deflate.server_context_takeover = (knobs & 1) != 0;
  deflate.client_context_takeover = (knobs & 2) != 0;
  deflate.client_max_window_bits = (knobs & 4) != 0 ? 10 : 15;

  UpgradeRequest request;
  request.method = (knobs & 8) != 0 ? "POST" : "GET";
  request.minor_version = (knobs & 16) != 0 ? 0 : 1;
  request.extensions = take_field(rest);
  request.protocols = take_field(rest);
  // Mostly a good request, so that the interesting fields are reached.
  const bool whole = (knobs & 32) != 0;
  request.upgrade = whole ? take_field(rest) : "websocket";
  request.connection = whole ? take_field(rest) : "Upgrade";
  request.key = whole ? take_field(rest) : "dGhlIHNhbXBsZSBub25jZQ==";
  request.version = whole ? take_field(rest) : "13";

  const Handshake answer =
      answer_handshake(request, protocols, (knobs & 64) != 0 ? nullptr : &deflate);
  if (answer.accepted()) {
    check_accepted(answer, protocols);
  } else {
    require(answer.status == 400 || answer.status == 405 || answer.status == 426);
    require(!answer.text.empty() && !answer.deflate && answer.protocol.empty());
  }
  return 0;
}
