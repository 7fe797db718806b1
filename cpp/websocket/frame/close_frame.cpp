#include "websocket/frame/close_frame.h"

#include "base/text/utf8.h"

namespace httpuv::websocket {

bool is_wire_close_code(std::uint16_t code) {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

bool is_valid_close(std::uint16_t code, std::string_view reason) {
  if (code == kCloseNoStatus) return reason.empty();
  return is_wire_close_code(code) && reason.size() <= kMaxCloseReason && base::is_utf8(reason);
}

Fault parse_close(std::string_view payload, std::uint16_t& code, std::string_view& reason) {
  code = kCloseNoStatus;
  reason = {};
  if (payload.empty()) return Fault::kNone;
  if (payload.size() == 1) return Fault::kBadCloseLength;
  const auto high = static_cast<unsigned char>(payload[0]);
  const auto low = static_cast<unsigned char>(payload[1]);
  const auto wire = static_cast<std::uint16_t>(high << 8 | low);
  if (!is_wire_close_code(wire)) return Fault::kBadCloseCode;
  if (!base::is_utf8(payload.substr(2))) return Fault::kBadCloseReason;
  code = wire;
  reason = payload.substr(2);
  return Fault::kNone;
}

}  // namespace httpuv::websocket
