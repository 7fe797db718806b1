#include "websocket/handshake.h"

#include <algorithm>

#include "base/encode/base64.h"
#include "base/encode/sha1.h"
#include "base/text/ascii.h"
#include "websocket/deflate/extension.h"

namespace httpuv::websocket {
namespace {

// Version 8, the last draft that was deployed, has the same frames and handshake as 13.
constexpr std::string_view kVersions = "13, 8";
constexpr std::size_t kKeySize = 24;  // base64 of 16 bytes

bool is_base64_digit(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// The key's bytes mean nothing, so it is not decoded; and the four bits that the last digit has to
// spare may be anything, as some clients draw 22 random digits.
bool is_key(std::string_view key) {
  return key.size() == kKeySize && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64_digit);
}

int known_version(std::string_view version) {
  return version == "13" ? 13 : version == "8" ? 8 : 0;
}

bool has_duplicates(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

// Sec-WebSocket-Protocol = 1#token, no token twice (section 4.1). The first one that we speak is
// chosen, as the client lists them in its order of preference.
bool choose_protocol(std::string_view list, std::span<const std::string> ours,
                     std::string& chosen) {
  std::vector<std::string_view> offered;
  for (;;) {
    const std::size_t comma = list.find(',');
    const std::string_view name = base::trim_ows(list.substr(0, comma));
    if (!base::is_token(name)) return false;
    if (chosen.empty() && std::find(ours.begin(), ours.end(), name) != ours.end()) chosen = name;
    offered.push_back(name);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return !has_duplicates(std::move(offered));
}

Handshake refuse(int status, std::string_view text) {
  Handshake refusal;
  refusal.status = status;
  refusal.text = text;
  return refusal;
}

}  // namespace

bool wants_websocket(const UpgradeRequest& request) {
  // HTTP/1.0 has no upgrades (RFC 9110 section 7.8).
  return request.minor_version >= 1 && request.upgrade &&
         base::has_list_token(*request.upgrade, "websocket") && request.connection &&
         base::has_list_token(*request.connection, "upgrade");
}

Handshake answer_handshake(const UpgradeRequest& request, std::span<const std::string> protocols,
                           const DeflateOptions* deflate) {
  if (request.method != "GET") {
    Handshake refusal = refuse(405, "A WebSocket opens with GET");
    refusal.headers.push_back({"Allow", "GET"});
    return refusal;
  }
  if (!wants_websocket(request)) {
    // Another protocol was asked for: that request is wrong here. None was: say what this place
    // wants.
    if (request.minor_version >= 1 && request.upgrade &&
        !base::has_list_token(*request.upgrade, "websocket")) {
      return refuse(400, "Upgrade must be websocket");
    }
    Handshake refusal = refuse(426, "This is a WebSocket endpoint");
    refusal.headers.push_back({"Upgrade", "websocket"});
    refusal.headers.push_back({"Connection", "Upgrade"});
    return refusal;
  }
  if (!request.key || !is_key(*request.key))
    return refuse(400, "Missing or invalid Sec-WebSocket-Key");
  const int version = request.version ? known_version(*request.version) : 0;
  if (version == 0) {
    Handshake refusal = refuse(400, "Missing or unknown Sec-WebSocket-Version");
    refusal.headers.push_back({"Sec-WebSocket-Version", std::string(kVersions)});
    return refusal;
  }
  Handshake accepted;
  if (request.protocols && !choose_protocol(*request.protocols, protocols, accepted.protocol)) {
    return refuse(400, "Invalid Sec-WebSocket-Protocol");
  }
  Negotiation extensions;
  if (request.extensions) extensions = negotiate_extensions(*request.extensions, deflate);
  if (extensions.malformed) return refuse(400, "Invalid Sec-WebSocket-Extensions");

  accepted.version = version;
  accepted.deflate = extensions.deflate;
  accepted.headers.push_back({"Upgrade", "websocket"});
  accepted.headers.push_back({"Connection", "Upgrade"});
  accepted.headers.push_back({"Sec-WebSocket-Accept", accept_value(*request.key)});
  if (!accepted.protocol.empty())
    accepted.headers.push_back({"Sec-WebSocket-Protocol", accepted.protocol});
  if (!extensions.response.empty()) {
    accepted.headers.push_back({"Sec-WebSocket-Extensions", std::move(extensions.response)});
  }
  return accepted;
}

void append_handshake(std::string& out, const Handshake& accepted, std::string_view extra_lines) {
  out += "HTTP/1.1 101 Switching Protocols\r\n";
  for (const HeaderLine& line : accepted.headers) {
    out.append(line.name).append(": ").append(line.value).append("\r\n");
  }
  out.append(extra_lines).append("\r\n");
}

std::string accept_value(std::string_view key) {
  const auto digest = base::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
  return base::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace httpuv::websocket
