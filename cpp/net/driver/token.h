// Which thread may touch a loop: one word, and every change that it can make.
//
// What: the state of net::Driver as a value, and its transitions as pure functions. A transition
//   answers the next word, or nothing where it does not apply; the Driver puts it in place with a
//   compare-and-swap. The tests explore all interleavings of the same functions.
// Thread: any. Ownership: values. Failure: none.
//
// | state    | which thread touches the loop                                                     |
// |----------|-----------------------------------------------------------------------------------|
// | guardian | the loop's own thread                                                             |
// | driver   | a thread that has nothing else to do                                              |
// | pause    | no thread: the driver runs callbacks, or waits for the GIL, or has left           |
// | lent     | no thread: another loop (asyncio's, a GUI's) waits for the descriptor of this one |
//
// | from     | to           | by       | function | when                                       |
// |----------|--------------|----------|----------|--------------------------------------------|
// | guardian | + wanted     | driver   | ask      | it has nothing else to do                  |
// | guardian | driver       | guardian | give     | wanted, between two turns                  |
// | driver   | pause(n + 1) | driver   | pause    | a turn made events, or it leaves           |
// | driver   | + asleep     | guardian | sleep    | nothing has changed for some ticks         |
// | lent     | + dozing     | guardian | doze     | likewise: it waits for the descriptor, too |
// | any      | - dozing     | guardian | rise     | it has ended to do so                      |
// | guardian | + lending    | driver   | ask_loan | its loop is to wait for the descriptor     |
// | guardian | lent(n + 1)  | guardian | lend     | lending, between two turns                 |
// | driver   | lent(n + 1)  | driver   | lend     | callbacks done: its loop waits again       |
// | pause(n) | driver       | driver   | resume   | callbacks done, or between two of them     |
// | lent(n)  | driver       | driver   | resume   | the descriptor is readable                 |
// | either   | + hurry      | any      | hurry    | a callback is about to wait for the loop   |
// | pause(n) | guardian     | guardian | take     | the same n on two ticks, hurry, or retired |
// | lent(n)  | guardian     | guardian | take     | likewise, and the descriptor was readable  |
// | any      | + retired    | any      | retire   | the loop stops: no thread drives it again  |
//
// A thread that stops driving for good leaves a pause behind, which the guardian takes as any
// other. A retired driver that is in a turn pauses after it as usual. A pause wakes a guardian that
// dozes: it looks after the loop while callbacks run.
// More than 25 members and methods, because each transition is a function of its own, as the table
// has it.
#pragma once

#include <cstdint>
#include <optional>

namespace httpuv::net {

class Token {
 public:
  enum class State : std::uint8_t { kGuardian, kDriver, kPause, kLent };

  constexpr Token() = default;
  constexpr explicit Token(std::uint64_t word) : word_(word) {}

  [[nodiscard]] constexpr std::uint64_t word() const { return word_; }
  [[nodiscard]] constexpr State state() const { return static_cast<State>(word_ & kStateMask); }
  [[nodiscard]] constexpr bool wanted() const { return (word_ & kWanted) != 0; }
  [[nodiscard]] constexpr bool asleep() const { return (word_ & kAsleep) != 0; }
  [[nodiscard]] constexpr bool dozing() const { return (word_ & kDozing) != 0; }
  [[nodiscard]] constexpr bool lending() const { return (word_ & kLending) != 0; }
  [[nodiscard]] constexpr bool hurried() const { return (word_ & kHurry) != 0; }
  [[nodiscard]] constexpr bool retired() const { return (word_ & kRetired) != 0; }
  // Whether no thread may touch the loop.
  [[nodiscard]] constexpr bool free() const {
    return state() == State::kPause || state() == State::kLent;
  }
  // Grows with every pause and loan, so that no two of them are taken for one.
  [[nodiscard]] constexpr std::uint64_t pauses() const { return word_ >> kFlagBits; }
  constexpr bool operator==(const Token&) const = default;

  // --- the driver ---
  [[nodiscard]] constexpr std::optional<Token> ask() const {
    if (state() != State::kGuardian || retired()) return {};
    return with(kWanted).without(kLending);
  }
  [[nodiscard]] constexpr std::optional<Token> ask_loan() const {
    if (state() != State::kGuardian || wanted() || retired()) return {};
    return with(kLending);
  }
  [[nodiscard]] constexpr std::optional<Token> resume() const {
    if (!free() || retired()) return {};
    return in(State::kDriver).without(kHurry);
  }
  [[nodiscard]] constexpr std::optional<Token> pause() const {
    if (state() != State::kDriver) return {};
    return in(State::kPause).without(kAsleep).next();
  }
  // The owner: the driver, or the guardian that was asked.
  [[nodiscard]] constexpr std::optional<Token> lend() const {
    const bool asked = state() == State::kGuardian && lending();
    if ((state() != State::kDriver && !asked) || retired()) return {};
    return in(State::kLent).without(kAsleep).without(kLending).next();
  }
  [[nodiscard]] constexpr std::optional<Token> hurry() const {
    if (!free()) return {};
    return with(kHurry);
  }

  // --- the guardian ---
  [[nodiscard]] constexpr std::optional<Token> give() const {
    if (state() != State::kGuardian || !wanted()) return {};
    return in(State::kDriver).without(kWanted);
  }
  // `seen`: what the guardian saw on its last tick. `due`: the descriptor was readable then and is
  // now.
  [[nodiscard]] constexpr std::optional<Token> take(const Token& seen, bool due) const {
    if (!free()) return {};
    const bool same = seen.state() == state() && seen.pauses() == pauses();
    const bool unattended = same && (state() == State::kPause || due);
    if (!unattended && !hurried() && !retired()) return {};
    return in(State::kGuardian).without(kHurry);
  }
  [[nodiscard]] constexpr std::optional<Token> sleep() const {
    if (state() != State::kDriver || retired()) return {};
    return with(kAsleep);
  }
  [[nodiscard]] constexpr std::optional<Token> doze() const {
    if (state() != State::kLent || hurried() || retired()) return {};
    return with(kDozing);
  }
  [[nodiscard]] constexpr Token rise() const { return without(kDozing); }

  // --- any thread ---
  [[nodiscard]] constexpr Token retire() const {
    return with(kRetired).without(kWanted).without(kLending).without(kAsleep);
  }

 private:
  static constexpr std::uint64_t kStateMask = 3;
  static constexpr std::uint64_t kWanted = 4;
  static constexpr std::uint64_t kAsleep = 8;
  static constexpr std::uint64_t kHurry = 16;
  static constexpr std::uint64_t kRetired = 32;
  static constexpr std::uint64_t kDozing = 64;
  static constexpr std::uint64_t kLending = 128;
  static constexpr unsigned kFlagBits = 8;

  [[nodiscard]] constexpr Token in(State state) const {
    return Token((word_ & ~kStateMask) | static_cast<std::uint64_t>(state));
  }
  [[nodiscard]] constexpr Token next() const {
    return Token(word_ + (std::uint64_t{1} << kFlagBits));
  }
  [[nodiscard]] constexpr Token with(std::uint64_t flag) const { return Token(word_ | flag); }
  [[nodiscard]] constexpr Token without(std::uint64_t flag) const { return Token(word_ & ~flag); }

  std::uint64_t word_ = 0;
};

}  // namespace httpuv::net
