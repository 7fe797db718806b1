#include "server/http/exchange/answer_coding.h"

#include <array>

#include "base/text/ascii.h"
#include "coding/accept_encoding.h"
#include "coding/compressible.h"
#include "http/message/content_coding.h"

namespace httpuv::server {

namespace {

// Shorter bodies go as they are: what is saved is less than a packet.
constexpr std::uint64_t kMinLength = 1024;

// A stream of events stays open for hours: a window for each would cost more than it saves.
bool is_event_stream(std::string_view type) {
  return base::iequals(base::trim_ows(type.substr(0, type.find(';'))), "text/event-stream");
}

}  // namespace

void negotiate_coding(Exchange& exchange, const http::RequestHead& head, bool gzip) {
  exchange.negotiated = gzip;
  if (!gzip || !head.has(http::Field::kAcceptEncoding)) return;
  std::array<bool, coding::kCodings> there{};
  there[static_cast<std::size_t>(coding::Coding::kGzip)] = true;
  exchange.accepts_gzip =
      coding::choose_coding(head.joined(http::Field::kAcceptEncoding), there).has_value();
}

bool is_coded(const Exchange& exchange, http::ResponseHead& head,
              std::optional<std::uint64_t> length) {
  if ((length && *length < kMinLength) || !exchange.negotiated || !http::may_be_coded(head)) {
    return false;
  }
  const std::string_view type = head.content_type();
  if (!coding::worth_compressing(type) || is_event_stream(type)) return false;
  http::vary_by_coding(head);
  return exchange.accepts_gzip;
}

}  // namespace httpuv::server
