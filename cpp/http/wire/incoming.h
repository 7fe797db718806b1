// The request that is being read from a connection: its head, how far it has come, and the input
// that may not be parsed yet.
//
// Sans-I/O, no thread of its own; a part of a Wire. The states and transitions are in
// exchange_state.h. Broken input is reported once (kError), then nothing more is parsed.
// More than 25 members and methods, because half of them pass on what the parser says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "http/parse/request_parser.h"
#include "http/wire/exchange_state.h"

namespace httpuv::http {

enum class WireEvent : std::uint8_t {
  kNeedMore,  // everything was consumed
  kHead,      // a request has begun: head()
  kBody,      // body() has the next bytes of it
  kEnd,       // it is complete; nothing more is read until stored() or await_upgrade()
  kDropped,   // the rest of a dropped request was read
  kError,     // the input is broken: see error_status()
};

class Incoming {
 public:
  // `limits` and `memo` (or null) outlive it, see RequestParser.
  explicit Incoming(const RequestLimits* limits, HeadMemo* memo = nullptr)
      : parser_(limits, memo) {}

  // Consumes from the front of `input` up to the next event.
  WireEvent next(std::string_view& input);

  // --- the request ---

  [[nodiscard]] RequestHead& head() { return head_; }
  [[nodiscard]] const RequestHead& head() const { return head_; }
  [[nodiscard]] std::string_view body() const { return parser_.body(); }
  [[nodiscard]] const RequestSide& side() const { return side_; }
  [[nodiscard]] RequestState state() const { return side_.state(); }

  // One of kHold, kGoOn, kDrop, kStored, kUpgrade and kStay.
  void on(RequestEvent event) {
    side_.on(event);
    if (event == RequestEvent::kStored) awaits_continue_ = false;
  }
  void refuse();

  // The client waits for 100 (Continue) before it sends the body.
  [[nodiscard]] bool awaits_continue() const { return awaits_continue_; }
  void continued() { awaits_continue_ = false; }
  // Whether the rest is short and certain to arrive, so that it can be read and dropped.
  [[nodiscard]] bool may_discard() const { return !is_long_ && !awaits_continue_; }

  // --- input ---

  // No byte of the next request has arrived.
  [[nodiscard]] bool idle() const { return parser_.idle(); }
  // A part of a head has arrived.
  [[nodiscard]] bool in_head() const { return parser_.in_head(); }
  // While idle(): the next head uses the memory of `spare`.
  void lend(RequestHead& spare) { parser_.lend(spare); }

  // After kError; read_line() is the first line of the request, as far as it could be parsed.
  [[nodiscard]] int error_status() const { return parser_.error_status(); }
  [[nodiscard]] std::string_view error_reason() const { return parser_.error_reason(); }
  [[nodiscard]] std::string_view read_line() const { return parser_.read_line(); }

  // Input that may not be parsed yet.
  [[nodiscard]] std::string& kept() { return kept_; }
  [[nodiscard]] const std::string& kept() const { return kept_; }
  // The bytes of that input, and of an incomplete head or trailer section.
  [[nodiscard]] std::size_t held() const { return kept_.size() + parser_.held(); }
  [[nodiscard]] bool holds_head() const { return parser_.held() > 0; }

 private:
  void begin();

  RequestParser parser_;
  RequestHead head_;
  RequestSide side_;
  bool awaits_continue_ = false;
  bool is_long_ = false;
  std::string kept_;
};

}  // namespace httpuv::http
