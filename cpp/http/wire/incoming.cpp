#include "http/wire/incoming.h"

namespace httpuv::http {

namespace {

// The rest of a request that was answered early is read and dropped up to this size; beyond that it
// is cheaper for both sides to end the connection.
constexpr std::uint64_t kMaxDiscard = 256 * 1024;

}  // namespace

WireEvent Incoming::next(std::string_view& input) {
  for (;;) {
    switch (parser_.next(input)) {
      case ParseEvent::kNeedMore:
        return WireEvent::kNeedMore;
      case ParseEvent::kHead:
        begin();
        return WireEvent::kHead;
      case ParseEvent::kBody:
        if (side_.dropping()) continue;
        return WireEvent::kBody;
      case ParseEvent::kEnd: {
        const bool dropped = side_.dropping();
        side_.on(RequestEvent::kEnd);
        return dropped ? WireEvent::kDropped : WireEvent::kEnd;
      }
      case ParseEvent::kError:
        return WireEvent::kError;
    }
  }
}

void Incoming::begin() {
  parser_.take_head(head_);
  side_.on(RequestEvent::kHead);
  awaits_continue_ = head_.expects_continue && head_.has_body();
  is_long_ = head_.chunked || head_.content_length.value_or(0) > kMaxDiscard;
}

void Incoming::refuse() {
  side_.on(RequestEvent::kRefused);
  kept_.clear();
}

}  // namespace httpuv::http
