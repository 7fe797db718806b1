#include "net/loop/driver.h"

#include <chrono>
#include <new>

namespace httpuv::net {

// Puts transition(present word) in place. False, and nothing has changed, where it does not apply.
template <class Transition>
bool Driver::change(Transition transition, Token* before, Token* after) {
  std::uint64_t word = word_.load(std::memory_order_acquire);
  while (true) {
    const std::optional<Token> next = transition(Token(word));
    if (!next) return false;
    if (word_.compare_exchange_weak(word, next->word(), std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      if (before != nullptr) *before = Token(word);
      if (after != nullptr) *after = *next;
      return true;
    }
  }
}

// A waiting thread looks at the word with the mutex held before it sleeps, so one that has not seen
// the change made before this call is woken by it.
void Driver::notify(std::condition_variable& waiting) {
  const std::lock_guard lock(mutex_);
  waiting.notify_all();
}

void Driver::guard() {
  while (true) {
    driven_.taken(true);
    // Before each turn: a loop that lingers takes no wake-up for what is asked meanwhile.
    while (!change([](const Token& token) { return token.give(); })) {
      if (driven_.over()) return;
      driven_.turn(-1);
    }
    notify(driver_);
    watch();
  }
}

// Until the loop is the guardian's again.
void Driver::watch() {
  std::unique_lock lock(mutex_);
  Token seen = load();
  int quiet = 0;
  while (true) {
    if (quiet < kQuietTicks ||
        !change([](const Token& token) { return token.sleep(); }, nullptr, &seen)) {
      guardian_.wait_for(lock, std::chrono::milliseconds(kTickMs), [this] {
        const Token now = load();
        return now.state() == Token::State::kPause && (now.hurried() || now.retired());
      });
    } else {
      guardian_.wait(lock, [&] { return !load().asleep(); });
      quiet = 0;
    }
    if (change([&](const Token& token) { return token.take(seen); })) return;
    const Token now = load();
    quiet = now == seen && now.state() == Token::State::kDriver ? quiet + 1 : 0;
    seen = now;
  }
}

bool Driver::drive() {
  if (resume()) return true;
  if (!change([](const Token& token) { return token.ask(); })) return false;
  wakeable_.wake();
  {
    std::unique_lock lock(mutex_);
    driver_.wait(lock, [this] {
      const Token now = load();
      return now.state() == Token::State::kDriver || now.retired();
    });
  }
  // Retired while it was given is given all the same: then it is this thread that pauses.
  if (!driven()) return false;
  driven_.taken(false);
  return true;
}

bool Driver::resume() {
  if (!change([](const Token& token) { return token.resume(); })) return false;
  driven_.taken(false);
  return true;
}

void Driver::pause() {
  Token before;
  Token after;
  change([](const Token& token) { return token.pause(); }, &before, &after);
  if (before.asleep() || after.retired()) notify(guardian_);
}

void Driver::hurry() {
  if (change([](const Token& token) { return token.hurry(); })) notify(guardian_);
}

void Driver::retire() {
  change([](const Token& token) { return std::optional(token.retire()); });
  notify(guardian_);
  notify(driver_);
  wakeable_.wake();
}

void Driver::forget() noexcept {
  word_.store(Token().retire().word(), std::memory_order_release);
  // To destroy a condition for which a thread of the parent waits would be to wait for that thread.
  new (&mutex_) std::mutex;
  new (&guardian_) std::condition_variable;
  new (&driver_) std::condition_variable;
}

}  // namespace httpuv::net
