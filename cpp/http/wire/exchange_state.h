// The two sides of an exchange, each a state with a table of transitions: the request that is read,
// and its answer. They are independent: a request may be answered before it was read, and read long
// before it is answered.
//
// Plain values, no thread of their own; parts of an exchange and of its session. A transition that
// is not in the table is a mistake of the caller: an assertion fails, or without assertions nothing
// changes.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

namespace httpuv::http {

// --- the request that is being read -------------------------------------------------------------

enum class RequestState : std::uint8_t {
  kNone,       // between two requests
  kReading,    // the head has arrived, and the body is being read
  kHeld,       // the application has the head and has not yet asked for the body
  kDropping,   // the rest is read and dropped: the request was answered, or its body is not needed
  kStoring,    // the body is complete, and may still be written to disk
  kUpgrading,  // it asks for another protocol; no further request is read before the decision
};

enum class RequestEvent : std::uint8_t {
  kHead,     // a head has arrived
  kHold,     // the application gets the head and decides about the body
  kGoOn,     // the application asks for the body
  kDrop,     // the rest of the request is not needed
  kEnd,      // the last byte has arrived
  kStored,   // the body is stored
  kRefused,  // the input is broken, or too late
  kUpgrade,  // the stored request asks for another protocol
  kStay,     // the connection keeps its protocol
};

// --- the answer ---------------------------------------------------------------------------------

enum class AnswerState : std::uint8_t {
  kOpen,         // the answer has no source yet
  kAsked,        // the application makes it
  kAnnounced,    // the application has seen the head and is asked again when the body is complete
  kResolving,    // a static path makes it
  kCoding,       // it is complete and is being compressed
  kReady,        // it is complete, and waits for its turn or is being sent
  kStreamWaits,  // its body comes in pieces; the head was not sent
  kStreaming,    // its body comes in pieces; the head was sent
};

enum class AnswerEvent : std::uint8_t {
  kAsk,       // the application is asked
  kAnnounce,  // the application gets the head only
  kResolve,   // a static path was found
  kGive,      // the complete answer is given
  kCode,      // the complete answer is given and has to be compressed
  kCoded,     // it was compressed
  kStream,    // the head of an answer in pieces is given
  kBegin,     // that head is sent
  kWithdraw,  // the answer is taken back: it has no source again
};

namespace table {

inline constexpr std::uint8_t kNever = 0xFF;

template <class State>
constexpr std::uint8_t to(State state) {
  return static_cast<std::uint8_t>(state);
}

// A row for each state, a column for each event.
using R = RequestState;
inline constexpr std::array<std::array<std::uint8_t, 9>, 6> kRequest = {{
    // kHead, kHold, kGoOn, kDrop, kEnd, kStored, kRefused, kUpgrade, kStay
    // kNone:
    {to(R::kReading), kNever, kNever, to(R::kNone), kNever, kNever, to(R::kNone), kNever, kNever},
    // kReading:
    {kNever, to(R::kHeld), to(R::kReading), to(R::kDropping), to(R::kStoring), kNever, to(R::kNone),
     kNever, kNever},
    // kHeld:
    {kNever, kNever, to(R::kReading), to(R::kDropping), kNever, kNever, to(R::kNone), kNever,
     kNever},
    // kDropping:
    {kNever, kNever, to(R::kDropping), to(R::kDropping), to(R::kNone), kNever, to(R::kNone), kNever,
     kNever},
    // kStoring:
    {kNever, kNever, kNever, to(R::kStoring), kNever, to(R::kNone), to(R::kNone), to(R::kUpgrading),
     kNever},
    // kUpgrading:
    {kNever, kNever, kNever, to(R::kNone), kNever, kNever, to(R::kNone), kNever, to(R::kNone)},
}};

using A = AnswerState;
inline constexpr std::array<std::array<std::uint8_t, 9>, 8> kAnswer = {{
    // kAsk, kAnnounce, kResolve, kGive, kCode, kCoded, kStream, kBegin, kWithdraw
    {to(A::kAsked), to(A::kAnnounced), to(A::kResolving), to(A::kReady), to(A::kCoding), kNever,
     kNever, kNever, to(A::kOpen)},  // kOpen
    {kNever, kNever, kNever, kNever, kNever, kNever, to(A::kStreamWaits), kNever,
     to(A::kOpen)},  // kAsked
    {to(A::kAsked), kNever, kNever, to(A::kReady), to(A::kCoding), kNever, kNever, kNever,
     to(A::kOpen)},  // kAnnounced
    {to(A::kAsked), kNever, kNever, to(A::kReady), to(A::kCoding), kNever, kNever, kNever,
     to(A::kOpen)},  // kResolving
    {kNever, kNever, kNever, kNever, kNever, to(A::kReady), kNever, kNever,
     to(A::kOpen)},                                                                   // kCoding
    {kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever, to(A::kReady)},  // kReady
    {kNever, kNever, kNever, kNever, kNever, kNever, kNever, to(A::kStreaming),
     to(A::kOpen)},                                                                  // kStreamWaits
    {kNever, kNever, kNever, kNever, kNever, kNever, kNever, kNever, to(A::kOpen)},  // kStreaming
}};

}  // namespace table

// The next state; `state` itself if the table has no transition.
constexpr RequestState after(RequestState state, RequestEvent event) {
  const std::uint8_t next =
      table::kRequest[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  assert(next != table::kNever);
  return next == table::kNever ? state : static_cast<RequestState>(next);
}

constexpr AnswerState after(AnswerState state, AnswerEvent event) {
  const std::uint8_t next =
      table::kAnswer[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
  assert(next != table::kNever);
  return next == table::kNever ? state : static_cast<AnswerState>(next);
}

constexpr bool may_follow(RequestState state, RequestEvent event) {
  return table::kRequest[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)] !=
         table::kNever;
}

constexpr bool may_follow(AnswerState state, AnswerEvent event) {
  return table::kAnswer[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)] !=
         table::kNever;
}

class RequestSide {
 public:
  void on(RequestEvent event) { state_ = after(state_, event); }
  [[nodiscard]] RequestState state() const { return state_; }

  // Between its head and its last byte.
  [[nodiscard]] bool reading() const {
    return state_ == RequestState::kReading || held() || dropping();
  }
  [[nodiscard]] bool held() const { return state_ == RequestState::kHeld; }
  [[nodiscard]] bool dropping() const { return state_ == RequestState::kDropping; }

 private:
  RequestState state_ = RequestState::kNone;
};

class AnswerSide {
 public:
  void on(AnswerEvent event) { state_ = after(state_, event); }
  [[nodiscard]] AnswerState state() const { return state_; }

  // The application was asked and has not given the complete answer.
  [[nodiscard]] bool with_application() const {
    return state_ == AnswerState::kAsked || streamed();
  }
  [[nodiscard]] bool announced() const { return state_ == AnswerState::kAnnounced; }
  [[nodiscard]] bool resolving() const { return state_ == AnswerState::kResolving; }
  // The body of the answer comes in pieces.
  [[nodiscard]] bool streamed() const {
    return state_ == AnswerState::kStreamWaits || state_ == AnswerState::kStreaming;
  }
  [[nodiscard]] bool begun() const { return state_ == AnswerState::kStreaming; }
  // The answer is complete.
  [[nodiscard]] bool given() const {
    return state_ == AnswerState::kReady || state_ == AnswerState::kCoding;
  }
  [[nodiscard]] bool ready() const { return state_ == AnswerState::kReady; }
  [[nodiscard]] bool coding() const { return state_ == AnswerState::kCoding; }

 private:
  AnswerState state_ = AnswerState::kOpen;
};

}  // namespace httpuv::http
