// The thread that drives a loop: one that has nothing else to do, else the loop's own thread.
//
// What: exactly one thread owns the loop at a time. The guardian is the loop's own thread; it
//   drives whenever no other thread does. A thread that would only wait for events (the driver)
//   takes the loop instead and drives it itself, so that a request costs no switch of threads.
//   While it runs callbacks the loop is paused, and the guardian takes the loop when that lasts
//   more than one or two ticks. A thread that waits in a loop of its own (asyncio's, a GUI's) is
//   lent this one: its loop watches the descriptor, and the guardian takes the loop when that has
//   been readable for as long. The states and transitions are in token.h.
// Thread: guard() on the guardian; drive(), resume(), turn(), pause(), lend(), ask_loan() on one
//   thread at a time, which may be another one after pause() or lend(); the rest on any.
// Owner: whatever owns the loop. What is driven outlives guard(); what wakes it outlives this.
// Failure: none. In a forked child: forget(), and nothing else.
// Driver has more than 25 members and methods, because each transition that a thread can ask for is
// a function of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "net/driver/token.h"

namespace httpuv::net {

// A loop and everything on it, as its owner calls it.
class Driven {
 public:
  // One turn, which waits for an event at most so many milliseconds (-1: until there is one).
  virtual void turn(int wait_ms) = 0;
  // The calling thread owns the loop from now on: other threads may have left work for it without
  // waking the loop.
  virtual void taken(bool by_guardian) = 0;
  // The loop has ended. Only a guardian asks, and only after retire() it may be true.
  [[nodiscard]] virtual bool over() const = 0;

  // The owner is about to lend it: from now on the descriptor of the loop is readable whenever a
  // turn is due. False: that cannot be.
  virtual bool expose() = 0;
  // Any thread, while it is lent or paused: whether the descriptor is readable; waits until it is.
  [[nodiscard]] virtual bool due() const = 0;
  virtual void await_due() = 0;

 protected:
  virtual ~Driven() = default;
};

// Ends the wait of a turn, soon; any thread.
class Wakeable {
 public:
  virtual void wake() noexcept = 0;

 protected:
  virtual ~Wakeable() = default;
};

class Driver {
 public:
  // How often the guardian looks at a loop that is paused.
  static constexpr int kTickMs = 1;
  // After so many ticks without a change it sleeps until it is woken.
  static constexpr int kQuietTicks = 3;
  static_assert(kQuietTicks > 0, "a loan is taken on two ticks in a row");
  // One tick is enough if no more pauses than this have come since it was woken.
  static constexpr std::uint64_t kFewPauses = 2;

  Driver(Driven& driven, Wakeable& wakeable) : driven_(driven), wakeable_(wakeable) {}
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  // The guardian's thread: drives and watches until the loop is over.
  void guard();

  // Makes the calling thread the owner. It waits for the guardian to end its turn if need be. False
  // if that is not to be: the loop stops. Never with the GIL held.
  bool drive();
  // The same, but only if the loop is paused: without waiting.
  bool resume();
  // The owner only, as drive() and resume() have made it.
  void turn(int wait_ms) { driven_.turn(wait_ms); }
  // The end of ownership: the guardian takes the loop after one or two ticks.
  void pause();

  // The end of ownership: the descriptor of the loop is watched by another loop, on which a thread
  // calls resume() when it is readable. If that cannot be, it is a pause().
  void lend();
  // Any thread that is not the owner: the guardian lends it soon, if it has the loop.
  void ask_loan();

  // The calling thread is about to wait for something that the loop does: a loop that no thread
  // owns is taken at once.
  void hurry();
  // No thread but the guardian drives from now on; a driver pauses after its turn. Idempotent.
  void retire();
  [[nodiscard]] bool retired() const { return load().retired(); }
  // Whether no thread owns the loop, and one will soon: the next owner looks at what waits for it,
  // without being woken.
  [[nodiscard]] bool paused() const { return load().state() == Token::State::kPause; }
  [[nodiscard]] bool driven() const { return load().state() == Token::State::kDriver; }

  // In a forked child, where the guardian does not exist: no thread drives any more.
  void forget() noexcept;

 private:
  [[nodiscard]] Token load() const { return Token(word_.load(std::memory_order_acquire)); }
  template <class Transition>
  bool change(Transition transition, Token* before = nullptr, Token* after = nullptr);
  bool give();
  void watch();
  bool nap(std::unique_lock<std::mutex>& lock);
  void notify(std::condition_variable& waiting);

  Driven& driven_;
  Wakeable& wakeable_;
  std::atomic<std::uint64_t> word_{0};
  std::mutex mutex_;                  // for waiting only: the word changes without it
  std::condition_variable guardian_;  // the guardian waits while another thread owns the loop
  std::condition_variable driver_;    // the driver waits to be given the loop
};

}  // namespace httpuv::net
