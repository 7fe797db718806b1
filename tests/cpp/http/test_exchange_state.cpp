// The tables of an exchange's two sides.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "http/wire/exchange_state.h"

namespace httpuv::http {
namespace {

// Every state that can be reached from the first one.
template <class State, class Event, std::size_t kStates, std::size_t kEvents>
std::set<State> reachable() {
  std::set<State> found{State{}};
  std::vector<State> todo{State{}};
  while (!todo.empty()) {
    const State state = todo.back();
    todo.pop_back();
    for (std::size_t i = 0; i < kEvents; ++i) {
      const auto event = static_cast<Event>(i);
      if (may_follow(state, event) && found.insert(after(state, event)).second) {
        todo.push_back(after(state, event));
      }
    }
  }
  return found;
}

}  // namespace

TEST_CASE("every state is reached, and is left") {
  CHECK(reachable<RequestState, RequestEvent, 6, 9>().size() == 6);
  CHECK(reachable<AnswerState, AnswerEvent, 8, 9>().size() == 8);
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(after(static_cast<RequestState>(i), RequestEvent::kRefused) == RequestState::kNone);
  }
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(may_follow(static_cast<AnswerState>(i), AnswerEvent::kWithdraw));
  }
}

TEST_CASE("a request that the application lets go on") {
  RequestSide side;
  CHECK_FALSE(side.reading());
  side.on(RequestEvent::kHead);
  CHECK(side.reading());
  side.on(RequestEvent::kHold);
  CHECK(side.held());
  CHECK_FALSE(may_follow(side.state(), RequestEvent::kEnd));  // nothing is read meanwhile
  side.on(RequestEvent::kGoOn);
  side.on(RequestEvent::kEnd);
  CHECK_FALSE(side.reading());
  CHECK_FALSE(may_follow(side.state(), RequestEvent::kHead));  // its body is on its way
  side.on(RequestEvent::kStored);
  CHECK(side.state() == RequestState::kNone);
}

TEST_CASE("nothing is read behind a request for another protocol before that is decided") {
  RequestSide side;
  side.on(RequestEvent::kHead);
  side.on(RequestEvent::kEnd);
  side.on(RequestEvent::kUpgrade);
  CHECK_FALSE(side.reading());
  CHECK_FALSE(may_follow(side.state(), RequestEvent::kHead));
  side.on(RequestEvent::kStay);
  CHECK(may_follow(side.state(), RequestEvent::kHead));
}

TEST_CASE("what was dropped stays dropped") {
  RequestSide side;
  side.on(RequestEvent::kHead);
  side.on(RequestEvent::kHold);
  side.on(RequestEvent::kDrop);
  side.on(RequestEvent::kGoOn);  // said too late
  CHECK(side.dropping());
  side.on(RequestEvent::kEnd);
  CHECK(side.state() == RequestState::kNone);
}

TEST_CASE("an answer is given once") {
  AnswerSide side;
  side.on(AnswerEvent::kAsk);
  CHECK(side.with_application());
  CHECK_FALSE(may_follow(side.state(), AnswerEvent::kAsk));
  side.on(AnswerEvent::kWithdraw);
  side.on(AnswerEvent::kGive);
  CHECK(side.ready());
  CHECK_FALSE(may_follow(side.state(), AnswerEvent::kGive));
  CHECK_FALSE(may_follow(side.state(), AnswerEvent::kStream));
}

TEST_CASE("a stream begins when it is its turn") {
  AnswerSide side;
  side.on(AnswerEvent::kAsk);
  side.on(AnswerEvent::kStream);
  CHECK(side.with_application());
  CHECK(side.streamed());
  CHECK_FALSE(side.begun());
  side.on(AnswerEvent::kBegin);
  CHECK(side.begun());
  CHECK_FALSE(may_follow(side.state(), AnswerEvent::kGive));
}

}  // namespace httpuv::http
