// HTTP/1 on one connection, without the connection: which bytes are a request, which answer
// is next, when 100 (Continue) is sent, what may be read next, what a refusal answers, whether
// the connection is kept, and how it ends.
//
//   while (wire.reads() != Next::kNothing) {
//     switch (wire.next(input)) ...           // kHead: incoming().head() is the request of
//     current()
//   }
//   ...                                       // the answer to `exchange` is there
//   exchange.answer.on(AnswerEvent::kGive);
//   if (wire.exchanges().is_front(exchange)) {  // else it waits for its turn()
//     const bool keep = wire.keeps_alive(exchange, last);
//     ...                                     // the head says whether the connection is kept
//     wire.close_front(keep);                 // says whether the connection ends
//   }
//
// Sans-I/O: no socket, no clock, no thread of its own; owned by the protocol of a connection. The
// request being read is its Incoming, the requests that wait for answers are its ExchangeQueue.
// `Exchange` is a WireExchange with what the server keeps for it. The states are tables:
// wire_state.h for the connection, exchange_state.h for the request being read and for each answer.
// A broken request is reported once (kError); refuse() says what answers it.
// More than 25 methods, because most are questions of one line about five members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/wire/exchange.h"
#include "http/wire/incoming.h"
#include "http/wire/wire_state.h"

namespace httpuv::http {

// What the next bytes belong to.
enum class Next : std::uint8_t { kNothing, kRequest, kBody };

// The front exchange: its answer can be sent, or the head of its streamed answer can.
enum class Turn : std::uint8_t { kNone, kAnswer, kStream };

// What follows an answer.
enum class After : std::uint8_t { kGoOn, kFinish, kLinger };

// What is done about refused input.
enum class Refusing : std::uint8_t {
  kAnswer,   // the exchange is answered with the refusal; what made its answer is withdrawn
  kCut,      // a part of its answer has left: the client must see that it is cut
  kFinish,   // there is nothing to answer: the connection ends
  kNothing,  // an answer was given, and is the last
};

template <class Exchange>
class Wire {
 public:
  // `limits` and `memo` (or null) outlive it. `max_pipelined`: exchanges that may be open at once.
  Wire(const RequestLimits* limits, std::size_t max_pipelined, HeadMemo* memo = nullptr)
      : incoming_(limits, memo), max_pipelined_(max_pipelined) {}

  [[nodiscard]] Incoming& incoming() { return incoming_; }
  [[nodiscard]] const Incoming& incoming() const { return incoming_; }
  [[nodiscard]] ExchangeQueue<Exchange>& exchanges() { return exchanges_; }
  [[nodiscard]] const ExchangeQueue<Exchange>& exchanges() const { return exchanges_; }

  // --- requests ---

  [[nodiscard]] Next reads() const {
    const RequestSide& request = incoming_.side();
    if (!parses() || request.held()) return Next::kNothing;
    if (request.reading()) return Next::kBody;
    if (request.state() != RequestState::kNone) return Next::kNothing;
    return exchanges_.size() < max_pipelined_ ? Next::kRequest : Next::kNothing;
  }

  // Consumes from the front of `input` up to the next event; while reads() is not kNothing.
  WireEvent next(std::string_view& input) {
    const WireEvent event = incoming_.next(input);
    if (event == WireEvent::kHead) {
      const RequestHead& head = incoming_.head();
      Exchange& exchange = exchanges_.open();
      current_ = exchange.sequence;
      exchange.minor_version = head.minor_version;
      exchange.is_head = head.is_head;
      exchange.keep_alive = head.keep_alive;
    }
    return event;
  }

  // The exchange of the request being read, or that was read last; null: it is over.
  [[nodiscard]] Exchange* current() { return exchanges_.find(current_); }
  [[nodiscard]] bool is_current(const Exchange& exchange) const {
    return exchange.sequence == current_;
  }

  // Whether 100 (Continue) is to be sent now: the client waits for it, and earlier answers have
  // left (RFC 9110 section 10.1.1).
  [[nodiscard]] bool continue_due() const {
    return incoming_.awaits_continue() && incoming_.state() == RequestState::kReading &&
           !exchanges_.empty() && is_current(exchanges_.front()) &&
           !exchanges_.front().answer.streamed();
  }
  void write_continue(std::string& out) {
    incoming_.continued();
    out.append("HTTP/1.1 100 Continue\r\n\r\n");
  }

  // The request that asks for another protocol is at its turn.
  [[nodiscard]] bool upgrade_due() const {
    return incoming_.state() == RequestState::kUpgrading && exchanges_.size() == 1;
  }

  // --- answers ---

  [[nodiscard]] Turn turn() const {
    if (!answers() || exchanges_.empty()) return Turn::kNone;
    const AnswerSide& answer = exchanges_.front().answer;
    if (answer.streamed()) return answer.begun() ? Turn::kNone : Turn::kStream;
    return answer.ready() ? Turn::kAnswer : Turn::kNone;
  }

  // Whether the connection can carry another request behind this answer. `last`: the application or
  // the server says that it is the last.
  [[nodiscard]] bool keeps_alive(const Exchange& exchange, bool last) const {
    if (!exchange.keep_alive || last) return false;
    const bool being_read = incoming_.side().reading() && is_current(exchange);
    return !being_read || incoming_.may_discard();
  }

  // The whole answer at the front was given to the connection.
  [[nodiscard]] After close_front(bool keep_alive) {
    exchanges_.close_front();
    if (keep_alive) return After::kGoOn;
    // Nothing of the client is lost by closing if no byte has come behind its last request.
    const bool clear =
        parses() && !incoming_.side().reading() && incoming_.kept().empty() && incoming_.idle();
    return clear ? After::kFinish : After::kLinger;
  }

  // --- refusals and the end ---

  struct Refused {
    Refusing way;
    Exchange* exchange;  // with kAnswer and kCut
    bool opened;         // for it: the head is what was broken; earlier requests are answered first
  };
  Refused refuse() {
    const bool of_a_request = incoming_.state() != RequestState::kNone;
    state_ = after(state_, WireStep::kRefuse);
    incoming_.refuse();
    Exchange* const exchange = of_a_request ? current() : &exchanges_.open();
    if (exchange != nullptr && exchange->answer.begun()) return {Refusing::kCut, exchange, false};
    if (exchange != nullptr && !exchange->answer.given()) {
      exchange->keep_alive = false;
      return {Refusing::kAnswer, exchange, !of_a_request};
    }
    if (exchanges_.empty()) return {Refusing::kFinish, nullptr, false};
    exchanges_.back().keep_alive = false;
    return {Refusing::kNothing, nullptr, false};
  }

  // The peer has sent FIN.
  void half_close() { state_ = after(state_, WireStep::kFin); }
  // Everything that came before the FIN was read, and nothing of it waits for an answer.
  [[nodiscard]] bool used_up() const {
    return half_closed() && exchanges_.empty() && !incoming_.side().reading() &&
           incoming_.kept().empty();
  }

  // The last answer was given to the connection; exchanges that are open end here.
  void finish(bool linger) { leave(linger ? WireStep::kLinger : WireStep::kFinish); }
  // Another protocol takes over. incoming().kept() is for it.
  void upgrade() {
    exchanges_.clear();
    exchanges_.release();
    state_ = after(state_, WireStep::kUpgrade);
  }
  // The connection has ended.
  void end() { leave(WireStep::kEnd); }

  [[nodiscard]] WireState state() const { return state_; }
  // Requests are parsed.
  [[nodiscard]] bool parses() const {
    return state_ == WireState::kOpen || state_ == WireState::kHalfClosed;
  }
  // Answers are given to the connection; from the last one on they are not.
  [[nodiscard]] bool answers() const { return state_ <= WireState::kRefusedHalfClosed; }
  [[nodiscard]] bool half_closed() const {
    return state_ == WireState::kHalfClosed || state_ == WireState::kRefusedHalfClosed;
  }
  // No request is read or answered, and nothing of one has come.
  [[nodiscard]] bool idle() const {
    return state_ == WireState::kOpen && exchanges_.empty() &&
           incoming_.state() == RequestState::kNone && incoming_.kept().empty() && incoming_.idle();
  }

 private:
  void leave(WireStep step) {
    exchanges_.clear();
    incoming_.kept().clear();
    state_ = after(state_, step);
  }

  Incoming incoming_;
  ExchangeQueue<Exchange> exchanges_;
  const std::size_t max_pipelined_;
  std::uint32_t current_ = 0;
  WireState state_ = WireState::kOpen;
};

}  // namespace httpuv::http
