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
//
// | from     | to           | by       | function | when                                       |
// |----------|--------------|----------|----------|--------------------------------------------|
// | guardian | + wanted     | driver   | ask      | it has nothing else to do                  |
// | guardian | driver       | guardian | give     | wanted, between two turns                  |
// | driver   | pause(n + 1) | driver   | pause    | a turn made events, or it leaves           |
// | driver   | + asleep     | guardian | sleep    | nothing has changed for some ticks         |
// | pause(n) | driver       | driver   | resume   | callbacks done, or between two of them     |
// | pause(n) | + hurry      | any      | hurry    | a callback is about to wait for the loop   |
// | pause(n) | guardian     | guardian | take     | the same n on two ticks, hurry, or retired |
// | any      | + retired    | any      | retire   | the loop stops: no thread drives it again  |
//
// A thread that stops driving for good leaves a pause behind, which the guardian takes as any
// other. A retired driver that is in a turn pauses after it as usual.
// More than 25 members and methods, because each transition is a function of its own, as the table
// has it.
#pragma once

#include <cstdint>
#include <optional>

namespace httpuv::net {

class Token {
 public:
  enum class State : std::uint8_t { kGuardian, kDriver, kPause };

  constexpr Token() = default;
  constexpr explicit Token(std::uint64_t word) : word_(word) {}

  [[nodiscard]] constexpr std::uint64_t word() const { return word_; }
  [[nodiscard]] constexpr State state() const { return static_cast<State>(word_ & kStateMask); }
  [[nodiscard]] constexpr bool wanted() const { return (word_ & kWanted) != 0; }
  [[nodiscard]] constexpr bool asleep() const { return (word_ & kAsleep) != 0; }
  [[nodiscard]] constexpr bool hurried() const { return (word_ & kHurry) != 0; }
  [[nodiscard]] constexpr bool retired() const { return (word_ & kRetired) != 0; }
  // Grows with every pause, so that no two pauses are taken for one.
  [[nodiscard]] constexpr std::uint64_t pauses() const { return word_ >> kFlagBits; }
  constexpr bool operator==(const Token&) const = default;

  // --- the driver ---
  [[nodiscard]] constexpr std::optional<Token> ask() const {
    if (state() != State::kGuardian || retired()) return {};
    return with(kWanted);
  }
  [[nodiscard]] constexpr std::optional<Token> resume() const {
    if (state() != State::kPause || retired()) return {};
    return in(State::kDriver).without(kHurry);
  }
  [[nodiscard]] constexpr std::optional<Token> pause() const {
    if (state() != State::kDriver) return {};
    return Token(in(State::kPause).without(kAsleep).word_ + (std::uint64_t{1} << kFlagBits));
  }
  [[nodiscard]] constexpr std::optional<Token> hurry() const {
    if (state() != State::kPause) return {};
    return with(kHurry);
  }

  // --- the guardian ---
  [[nodiscard]] constexpr std::optional<Token> give() const {
    if (state() != State::kGuardian || !wanted()) return {};
    return in(State::kDriver).without(kWanted);
  }
  // `seen`: what the guardian saw on its last tick.
  [[nodiscard]] constexpr std::optional<Token> take(const Token& seen) const {
    if (state() != State::kPause) return {};
    const bool unattended = seen.state() == State::kPause && seen.pauses() == pauses();
    if (!unattended && !hurried() && !retired()) return {};
    return in(State::kGuardian).without(kHurry);
  }
  [[nodiscard]] constexpr std::optional<Token> sleep() const {
    if (state() != State::kDriver || retired()) return {};
    return with(kAsleep);
  }

  // --- any thread ---
  [[nodiscard]] constexpr Token retire() const {
    return with(kRetired).without(kWanted).without(kAsleep);
  }

 private:
  static constexpr std::uint64_t kStateMask = 3;
  static constexpr std::uint64_t kWanted = 4;
  static constexpr std::uint64_t kAsleep = 8;
  static constexpr std::uint64_t kHurry = 16;
  static constexpr std::uint64_t kRetired = 32;
  static constexpr unsigned kFlagBits = 6;

  [[nodiscard]] constexpr Token in(State state) const {
    return Token((word_ & ~kStateMask) | static_cast<std::uint64_t>(state));
  }
  [[nodiscard]] constexpr Token with(std::uint64_t flag) const { return Token(word_ | flag); }
  [[nodiscard]] constexpr Token without(std::uint64_t flag) const { return Token(word_ & ~flag); }

  std::uint64_t word_ = 0;
};

}  // namespace httpuv::net
