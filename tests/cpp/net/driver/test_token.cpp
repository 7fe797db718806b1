// All interleavings of a guardian, a driver, a thread that posts commands and one that stops the
// loop, for small bounds: at most one thread touches the loop, no command is left behind, and from
// every state that can be reached all threads can come to their end.
//
// The threads here are models: a program counter and what Driver does at it, one atomic step at a
// time, with the transitions of token.h themselves. Wake-ups are modelled as they are: what is told
// while no thread waits is lost, and a wait without a time limit ends only when it is told.
#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "net/driver/driver.h"
#include "net/driver/token.h"

namespace httpuv::net {
namespace {

using State = Token::State;

enum class G : std::uint8_t {  // the guardian
  kTaken,
  kTurn,
  kGive,
  kTell,
  kLock,
  kSee,
  kTick,
  kTickWait,
  kSleepWait,
  kDozeWait,
  kTake,
  kEnd,
};
enum class D : std::uint8_t {  // the driver
  kBegin,
  kAsk,
  kWake,
  kCheck,
  kWait,
  kTaken,
  kTurn,
  kPause,
  kRouse,
  kTell,
  kCallback,
  kHurry,
  kTellHurry,
  kAwaitLoop,
  kBetween,
  kBetweenTaken,
  kBetweenTurn,
  kConsume,
  // Where its thread waits in a loop of its own.
  kHostWait,
  kHostBegin,
  kHostTurn,
  kHostLend,
  kHostTell,
  kHostEnd,
  kHostWake,
  kEnd,
};
enum class P : std::uint8_t { kPost, kRing, kEnd };
enum class S : std::uint8_t { kRetire, kTellGuardian, kTellDriver, kWake, kPost, kRing, kEnd };

struct TokenWorld {
  Token token;
  G guardian = G::kTaken;
  D driver = D::kBegin;
  P poster = P::kPost;
  S stopper = S::kRetire;
  Token seen;              // the guardian's
  std::uint8_t quiet = 0;  // likewise
  bool due = false;        // likewise
  bool few = false;        // likewise
  bool told_guardian = false;
  bool told_driver = false;
  bool woken = false;       // the loop's turn ends
  std::uint8_t events = 1;  // that come over the network and end a turn
  std::uint8_t mail = 0;    // commands that wait
  bool stop_mail = false;   // the command to stop waits
  bool stopping = false;    // it was carried out
  bool asked = false;       // the callback waits for the loop to look at its mail
  bool pending = false;     // an event waits for the driver's callback
  std::uint8_t rounds = 0;
  std::uint8_t posts = 0;

  // All of it in one word.
  [[nodiscard]] std::uint64_t key() const {
    std::uint64_t packed = 0;
    const auto add = [&](std::uint64_t value, unsigned bits) {
      if (value >= std::uint64_t{1} << bits) FAIL("the bounds are too large for the key");
      packed = packed << bits | value;
    };
    add(token.word(), 13);
    add(seen.word(), 13);
    add(static_cast<std::uint64_t>(guardian), 4);
    add(static_cast<std::uint64_t>(driver), 5);
    add(static_cast<std::uint64_t>(poster), 2);
    add(static_cast<std::uint64_t>(stopper), 3);
    for (const std::uint8_t small : {quiet, events, mail, rounds, posts}) add(small, 2);
    for (const bool bit :
         {told_guardian, told_driver, woken, stop_mail, stopping, asked, pending, due, few}) {
      add(bit ? 1 : 0, 1);
    }
    return packed;
  }
};

struct Bounds {
  std::uint8_t rounds;
  std::uint8_t posts;
  std::uint8_t quiet_ticks;
  bool hosted = false;
};

// Every way in which one thread may go on by one step.
class Model {
 public:
  explicit Model(Bounds bounds) : bounds_(bounds) {}

  std::vector<TokenWorld> successors(const TokenWorld& world) {
    next_.clear();
    guardian(world);
    driver(world);
    poster(world);
    stopper(world);
    return next_;
  }

  // The threads that touch the loop now.
  static int owners(const TokenWorld& world) {
    const bool guardian = world.guardian == G::kTaken || world.guardian == G::kTurn;
    const bool driver = world.driver == D::kTaken || world.driver == D::kTurn ||
                        world.driver == D::kBetweenTaken || world.driver == D::kBetweenTurn ||
                        world.driver == D::kPause || world.driver == D::kHostTurn ||
                        world.driver == D::kHostLend;
    return static_cast<int>(guardian) + static_cast<int>(driver);
  }

  static bool final(const TokenWorld& world) {
    return world.guardian == G::kEnd && world.driver == D::kEnd && world.poster == P::kEnd &&
           world.stopper == S::kEnd;
  }

 private:
  // The mutex of the driver is held by the guardian but for its waits, by the driver while it looks
  // whether it has to wait. Telling takes it.
  static bool locked(const TokenWorld& world) {
    const G g = world.guardian;
    return g == G::kSee || g == G::kTick || g == G::kTake || world.driver == D::kCheck;
  }

  // Whether the descriptor of the loop is readable.
  static bool is_due(const TokenWorld& world) { return world.woken || world.events > 0; }

  static void read_mail(TokenWorld& world) {
    world.mail = 0;
    if (world.stop_mail) world.stopping = true;
    world.stop_mail = false;
    world.asked = false;
  }

  // A turn ends when the loop was woken, or by an event.
  void turn(const TokenWorld& world, const std::function<void(TokenWorld&)>& then) {
    if (world.woken) {
      TokenWorld next = world;
      next.woken = false;
      read_mail(next);
      then(next);
    }
    if (world.events > 0) {
      TokenWorld next = world;
      --next.events;
      next.pending = true;
      then(next);
    }
  }

  void add(TokenWorld next, const std::function<void(TokenWorld&)>& change) {
    change(next);
    next_.push_back(next);
  }

  void guardian(const TokenWorld& w) {
    switch (w.guardian) {
      case G::kTaken:
        return add(w, [](TokenWorld& n) {
          read_mail(n);
          n.guardian = G::kGive;
        });
      case G::kTurn:
        return turn(w, [this](TokenWorld& n) {
          n.guardian = G::kGive;
          next_.push_back(n);
        });
      case G::kGive:
        if (w.token.lending()) {  // what can be done without waiting is, or comes afterwards
          turn(w, [this](TokenWorld& n) {
            if (!n.stopping) next_.push_back(n);
          });
        }
        return add(w, [](TokenWorld& n) {
          if (const auto given = n.token.give()) {
            n.token = *given;
            n.guardian = G::kTell;
          } else if (const auto lent = n.token.lend(); lent && !n.stopping) {
            n.token = *lent;
            n.guardian = G::kLock;
          } else {
            n.guardian = n.stopping ? G::kEnd : G::kTurn;
          }
        });
      case G::kTell:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          if (n.driver == D::kWait) n.told_driver = true;
          n.guardian = G::kLock;
        });
      case G::kLock:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) { n.guardian = G::kSee; });
      case G::kSee:
        return add(w, [](TokenWorld& n) {
          n.seen = n.token;
          n.quiet = 0;
          n.due = n.few = false;
          n.guardian = G::kTick;
        });
      case G::kTick:
        return add(w, [this](TokenWorld& n) {
          n.told_guardian = false;
          n.guardian = G::kTickWait;
          if (n.quiet < bounds_.quiet_ticks) return;
          if (const auto asleep = n.token.sleep()) {
            n.token = *asleep;
            n.guardian = G::kSleepWait;
          } else if (const auto dozing = n.token.doze()) {
            n.token = *dozing;
            n.guardian = G::kDozeWait;
          }
        });
      case G::kTickWait:  // ends by itself: told or not makes no difference
        if (w.driver == D::kCheck) return;
        return add(w, [](TokenWorld& n) { n.guardian = G::kTake; });
      case G::kSleepWait:
        if (!w.told_guardian || w.driver == D::kCheck) return;
        return add(w, [this](TokenWorld& n) {
          n.told_guardian = false;
          if (!n.token.asleep()) end_nap(n);  // otherwise it goes on waiting
        });
      case G::kDozeWait:  // for the descriptor, without the mutex
        if (!is_due(w) || w.driver == D::kCheck) return;
        return add(w, [this](TokenWorld& n) {
          n.token = n.token.rise();
          end_nap(n);
        });
      case G::kTake:
        return add(w, [](TokenWorld& n) {
          const bool lent = n.token.state() == State::kLent;
          const bool due_before = std::exchange(n.due, lent && is_due(n));
          if (const auto taken = n.token.take(n.seen, due_before && n.due)) {
            n.token = *taken;
            n.guardian = G::kTaken;
            return;
          }
          const bool calm = n.token.state() == State::kDriver || (lent && !n.due);
          const std::uint64_t most = std::exchange(n.few, false) ? Driver::kFewPauses : 0;
          const bool quiet = calm && n.token.pauses() - n.seen.pauses() <= most;
          n.quiet = quiet ? static_cast<std::uint8_t>(n.quiet + 1) : std::uint8_t{0};
          n.seen = n.token;
          n.guardian = G::kTick;
        });
      case G::kEnd:
        return;
    }
  }

  void end_nap(TokenWorld& world) const {
    world.due = false;
    world.few = true;
    world.quiet = bounds_.quiet_ticks > 0 ? static_cast<std::uint8_t>(bounds_.quiet_ticks - 1)
                                          : std::uint8_t{0};
    world.guardian = G::kTickWait;
  }

  void driver(const TokenWorld& w) {
    switch (w.driver) {
      case D::kBegin:  // drive(): resume, or ask
        if (w.rounds == bounds_.rounds) return add(w, [](TokenWorld& n) { n.driver = D::kEnd; });
        return add(w, [](TokenWorld& n) {
          ++n.rounds;
          if (const auto resumed = n.token.resume()) {
            n.token = *resumed;
            n.driver = D::kTaken;
          } else {
            n.driver = D::kAsk;
          }
        });
      case D::kAsk:
        return add(w, [](TokenWorld& n) {
          if (const auto asked = n.token.ask()) {
            n.token = *asked;
            n.driver = D::kWake;
          } else {
            n.driver = D::kConsume;  // retired
          }
        });
      case D::kWake:
        return add(w, [](TokenWorld& n) {
          n.woken = true;
          n.driver = D::kCheck;
          n.told_driver = false;
        });
      case D::kCheck:  // with the mutex
        return add(w, [](TokenWorld& n) { check(n); });
      case D::kWait:
        if (!w.told_driver || locked(w)) return;
        return add(w, [](TokenWorld& n) {
          n.told_driver = false;
          check(n);
        });
      case D::kTaken:
        return add(w, [](TokenWorld& n) {
          read_mail(n);
          n.driver = n.pending || n.token.retired() ? D::kPause : D::kTurn;
        });
      case D::kTurn:
        return turn(w, [this](TokenWorld& n) {
          n.driver = n.pending || n.token.retired() ? D::kPause : D::kTurn;
          next_.push_back(n);
        });
      case D::kPause:
        return add(w, [](TokenWorld& n) { pause(n); });
      case D::kRouse:
        return add(w, [](TokenWorld& n) {
          n.woken = true;
          n.driver = n.token.retired() ? D::kTell : D::kCallback;
        });
      case D::kTell:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          n.told_guardian = true;
          n.driver = D::kCallback;
        });
      case D::kCallback:  // it posts a command, and may wait for the loop to carry it out
        if (!w.pending) return add(w, [this](TokenWorld& n) { n.driver = next_round(); });
        add(w, [](TokenWorld& n) {
          n.pending = false;
          ++n.mail;
          n.driver = D::kBetween;
        });
        return add(w, [](TokenWorld& n) {
          n.pending = false;
          ++n.mail;
          n.asked = true;
          n.driver = D::kHurry;
        });
      case D::kHurry:
        return add(w, [](TokenWorld& n) {
          if (const auto hurried = n.token.hurry()) {
            if (n.token.dozing() || n.token.state() == State::kLent) n.woken = true;
            n.token = *hurried;
            n.driver = D::kTellHurry;
          } else {
            n.woken = true;
            n.driver = D::kAwaitLoop;
          }
        });
      case D::kTellHurry:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          n.told_guardian = true;
          n.driver = D::kAwaitLoop;
        });
      case D::kAwaitLoop:
        if (w.asked && w.guardian != G::kEnd) return;
        return add(w, [](TokenWorld& n) {
          n.asked = false;
          n.driver = D::kBetween;
        });
      case D::kBetween:  // between two callbacks, or none follows
        add(w, [](TokenWorld& n) { n.driver = D::kConsume; });
        return add(w, [](TokenWorld& n) {
          if (const auto resumed = n.token.resume()) {
            n.token = *resumed;
            n.driver = D::kBetweenTaken;
          } else {
            n.driver = D::kConsume;
          }
        });
      case D::kBetweenTaken:
        return add(w, [](TokenWorld& n) {
          read_mail(n);
          n.driver = D::kBetweenTurn;
        });
      case D::kBetweenTurn:  // without waiting
        add(w, [](TokenWorld& n) { pause(n); });
        return turn(w, [this](TokenWorld& n) {
          pause(n);
          next_.push_back(n);
        });
      case D::kConsume:  // tells the loop of what it has posted, unless it is paused
        return add(w, [this](TokenWorld& n) {
          if (n.token.state() != State::kPause) n.woken = true;
          n.driver = next_round();
        });
      case D::kHostWait:  // until the descriptor, or the doorbell of the queue, is readable
        add(w, [](TokenWorld& n) { n.driver = D::kEnd; });  // the program ends its loop
        if (w.rounds == bounds_.rounds || (!is_due(w) && !w.pending)) return;
        return add(w, [](TokenWorld& n) {
          ++n.rounds;
          n.driver = D::kHostBegin;
        });
      case D::kHostBegin:
        return add(w, [](TokenWorld& n) { resume_hosted(n, D::kCallback); });
      case D::kHostTurn: {  // without waiting
        const auto then = [](TokenWorld& n) { n.driver = n.pending ? D::kPause : D::kHostLend; };
        add(w, then);
        return turn(w, [&](TokenWorld& n) {
          then(n);
          next_.push_back(n);
        });
      }
      case D::kHostLend:
        return add(w, [](TokenWorld& n) {
          const auto lent = n.token.lend();
          if (!lent) return pause(n);
          n.driver = n.token.asleep() ? D::kHostTell : D::kHostWait;
          n.token = *lent;
        });
      case D::kHostTell:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          n.told_guardian = true;
          n.driver = D::kHostWait;
        });
      case D::kHostEnd:
        return add(w, [](TokenWorld& n) { resume_hosted(n, D::kHostWake); });
      case D::kHostWake:
        return add(w, [](TokenWorld& n) {
          if (const auto asked = n.token.ask_loan()) {
            n.token = *asked;
            n.woken = true;
          }
          n.driver = D::kHostWait;
        });
      case D::kEnd:
        return;
    }
  }

  static void check(TokenWorld& world) {
    const bool ready = world.token.state() == State::kDriver || world.token.retired();
    if (!ready) {
      world.driver = D::kWait;
    } else {
      world.driver = world.token.state() == State::kDriver ? D::kTaken : D::kConsume;
    }
  }

  [[nodiscard]] D next_round() const { return bounds_.hosted ? D::kHostEnd : D::kBegin; }

  static void resume_hosted(TokenWorld& world, D otherwise) {
    const auto resumed = world.token.resume();
    if (resumed) {
      world.token = *resumed;
      read_mail(world);
    }
    world.driver = resumed ? D::kHostTurn : otherwise;
  }

  static void pause(TokenWorld& world) {
    const Token before = world.token;
    const auto paused = before.pause();
    REQUIRE(paused);
    world.token = *paused;
    if (before.dozing()) {
      world.driver = D::kRouse;
    } else {
      world.driver = before.asleep() || paused->retired() ? D::kTell : D::kCallback;
    }
  }

  void poster(const TokenWorld& w) {
    switch (w.poster) {
      case P::kPost:
        if (w.posts == bounds_.posts) return add(w, [](TokenWorld& n) { n.poster = P::kEnd; });
        return add(w, [](TokenWorld& n) {
          ++n.posts;
          ++n.mail;
          n.poster = P::kRing;
        });
      case P::kRing:
        return add(w, [](TokenWorld& n) {
          if (n.token.state() != State::kPause) n.woken = true;
          n.poster = P::kPost;
        });
      case P::kEnd:
        return;
    }
  }

  void stopper(const TokenWorld& w) {
    switch (w.stopper) {
      case S::kRetire:
        return add(w, [](TokenWorld& n) {
          n.token = n.token.retire();
          n.stopper = S::kTellGuardian;
        });
      case S::kTellGuardian:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          n.told_guardian = true;
          n.stopper = S::kTellDriver;
        });
      case S::kTellDriver:
        if (locked(w)) return;
        return add(w, [](TokenWorld& n) {
          if (n.driver == D::kWait) n.told_driver = true;
          n.stopper = S::kWake;
        });
      case S::kWake:
        return add(w, [](TokenWorld& n) {
          n.woken = true;
          n.stopper = S::kPost;
        });
      case S::kPost:
        return add(w, [](TokenWorld& n) {
          n.stop_mail = true;
          n.stopper = S::kRing;
        });
      case S::kRing:
        return add(w, [](TokenWorld& n) {
          if (n.token.state() != State::kPause) n.woken = true;
          n.stopper = S::kEnd;
        });
      case S::kEnd:
        return;
    }
  }

  const Bounds bounds_;
  std::vector<TokenWorld> next_;
};

// A forked child that has only the driver's thread: it comes to its end by itself, without waiting
// and without the loop.
void check_child(const TokenWorld& parent) {
  TokenWorld child = parent;
  child.token = Token().retire();  // what Driver::forget() stores
  if (child.token.resume() || child.token.ask() || child.token.hurry() || child.token.pause()) {
    FAIL("a forked child gets hold of the loop");
  }
}

// What makes no difference any more, so that equal worlds are the same.
void forget_unused(TokenWorld& world) {
  const G g = world.guardian;
  const bool watching = g == G::kTick || g == G::kTickWait || g == G::kSleepWait ||
                        g == G::kDozeWait || g == G::kTake;
  if (!watching) {
    world.seen = Token();
    world.quiet = 0;
    world.due = world.few = false;
  }
  if (g != G::kSleepWait) world.told_guardian = false;
  if (world.driver != D::kWait) world.told_driver = false;
  world.mail = world.mail > 0 ? 1 : 0;
  if (world.quiet > 3) world.quiet = 3;
  if (g == G::kEnd) {
    world.woken = false;
    world.mail = 0;
    world.events = 0;
  }
}

void explore(Bounds bounds) {
  Model model(bounds);
  struct Known {
    TokenWorld world;
    std::vector<std::size_t> before;
    bool ends = false;     // the threads can come to their end
    bool settles = false;  // commands can be carried out without a stop
  };
  std::deque<Known> known;  // in the order in which they were found
  std::unordered_map<std::uint64_t, std::size_t> numbers;
  const auto reach = [&](TokenWorld world) {
    forget_unused(world);
    const auto [found, is_new] = numbers.try_emplace(world.key(), known.size());
    if (is_new) known.push_back({world, {}});
    return found->second;
  };
  TokenWorld start;
  if (bounds.hosted) start.driver = D::kHostWait;
  reach(start);
  std::deque<std::size_t> ends;     // all threads have come to theirs
  std::deque<std::size_t> settled;  // no command waits, and none has told the loop to stop
  const auto stops = [](const TokenWorld& world) { return world.stopper != S::kRetire; };
  for (std::size_t i = 0; i < known.size(); ++i) {
    const TokenWorld world = known[i].world;
    if (Model::owners(world) > 1) FAIL("two threads touch the loop");
    if (world.driver == D::kCallback) check_child(world);
    for (const TokenWorld& next : model.successors(world)) known[reach(next)].before.push_back(i);
    if (!stops(world) && world.mail == 0 && !world.asked) {
      known[i].settles = true;
      settled.push_back(i);
    }
    if (!Model::final(world)) continue;
    REQUIRE(world.stopping);
    known[i].ends = true;
    ends.push_back(i);
  }
  REQUIRE(!ends.empty());
  // Backwards: no state that can be reached is a trap.
  for (; !ends.empty(); ends.pop_front()) {
    for (const std::size_t each : known[ends.front()].before) {
      if (!std::exchange(known[each].ends, true)) ends.push_back(each);
    }
  }
  for (; !settled.empty(); settled.pop_front()) {
    for (const std::size_t each : known[settled.front()].before) {
      if (!std::exchange(known[each].settles, true)) settled.push_back(each);
    }
  }
  for (const Known& each : known) {
    if (each.ends && (each.settles || stops(each.world))) continue;
    CAPTURE(static_cast<int>(each.world.guardian));
    CAPTURE(static_cast<int>(each.world.driver));
    CAPTURE(static_cast<int>(each.world.poster));
    CAPTURE(static_cast<int>(each.world.stopper));
    CAPTURE(each.world.token.word());
    if (!each.ends) FAIL("a state from which the threads never come to their end");
    FAIL("a state in which a command waits until the loop is stopped");
  }
  MESSAGE(known.size() << " states");
}

}  // namespace

TEST_CASE("each transition applies in its state only") {
  const Token start;
  CHECK(start.state() == State::kGuardian);
  CHECK(!start.give());
  CHECK(!start.resume());
  CHECK(!start.pause());
  CHECK(!start.sleep());
  CHECK(!start.hurry());
  CHECK(!start.take(start, true));
  const Token asked = *start.ask();
  CHECK(asked.wanted());
  const Token driven = *asked.give();
  CHECK(driven.state() == State::kDriver);
  CHECK(!driven.wanted());
  CHECK(!driven.ask());
  const Token asleep = *driven.sleep();
  const Token paused = *asleep.pause();
  CHECK(paused.state() == State::kPause);
  CHECK(!paused.asleep());
  CHECK(paused.pauses() == 1);
  CHECK(!paused.take(driven, true));
  CHECK(paused.take(paused, false)->state() == State::kGuardian);
  CHECK(!paused.resume()->pause()->take(paused, true));
  CHECK(paused.hurry()->take(driven, false)->state() == State::kGuardian);
  CHECK(!paused.hurry()->take(driven, false)->hurried());
  CHECK(!paused.hurry()->resume()->hurried());
}

TEST_CASE("a loan is taken where the descriptor stays readable") {
  const Token start;
  CHECK(!start.lend());
  CHECK(!start.ask()->ask_loan());
  CHECK(!start.ask_loan()->ask()->lending());
  const Token lent = *start.ask_loan()->lend();
  CHECK(lent.state() == State::kLent);
  CHECK(!lent.lending());
  CHECK(!lent.sleep());
  CHECK(!lent.take(lent, false));
  CHECK(lent.take(lent, true)->state() == State::kGuardian);
  CHECK(!lent.resume()->lend()->take(lent, true));
  CHECK(lent.hurry()->take(lent, false)->state() == State::kGuardian);
  CHECK(!lent.hurry()->doze());
  CHECK(lent.doze()->resume()->pause()->dozing());
  CHECK(!lent.doze()->rise().dozing());
  CHECK(!lent.retire().resume());
  CHECK(!lent.resume()->retire().lend());
  CHECK(lent.retire().take(start, false)->state() == State::kGuardian);
}

TEST_CASE("a retired token goes to the guardian and stays there") {
  const Token driven = *Token().ask()->give();
  CHECK(!driven.retire().sleep());
  const Token paused = *driven.retire().pause();
  CHECK(!paused.resume());
  const Token taken = *paused.take(driven, false);
  CHECK(taken.state() == State::kGuardian);
  CHECK(!taken.ask());
  CHECK(!Token().ask()->retire().give());
}

TEST_CASE("all interleavings: one owner, no lost wake-up, no trap") {
  SUBCASE("one command") {
    explore({2, 1, 1});
  }
  SUBCASE("three rounds, the guardian sleeps at once") {
    explore({3, 1, 0});
  }
  SUBCASE("two commands, the guardian ticks twice") {
    explore({1, 2, 2});
  }
  SUBCASE("lent to another loop") {
    explore({2, 1, 1, true});
  }
  SUBCASE("lent to another loop for three rounds") {
    explore({3, 1, 1, true});
  }
  SUBCASE("lent to another loop, the guardian ticks twice") {
    explore({2, 2, 2, true});
  }
}

}  // namespace httpuv::net
