#include "net/driver/driver.h"

#include <chrono>
#include <new>
#include <utility>

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
    while (!give()) {
      if (driven_.over()) return;
      driven_.turn(-1);
    }
    watch();
  }
}

// The guardian gives the loop away, if it was asked.
bool Driver::give() {
  if (change([](const Token& token) { return token.give(); })) {
    notify(driver_);
    return true;
  }
  return load().lending() && driven_.expose() &&
         change([](const Token& token) { return token.lend(); });
}

// Until the loop is the guardian's again.
void Driver::watch() {
  std::unique_lock lock(mutex_);
  Token seen = load();
  bool due = false;
  int quiet = 0;
  std::uint64_t few = 0;  // pauses that make no difference to a quiet tick
  while (true) {
    if (quiet >= kQuietTicks && nap(lock)) {
      due = false;
      quiet = kQuietTicks - 1;
      few = kFewPauses;
    }
    guardian_.wait_for(lock, std::chrono::milliseconds(kTickMs), [this] {
      const Token now = load();
      return now.free() && (now.hurried() || now.retired());
    });
    const bool due_before =
        std::exchange(due, load().state() == Token::State::kLent && driven_.due());
    if (change([&](const Token& token) { return token.take(seen, due_before && due); })) return;
    const Token now = load();
    const bool calm =
        now.state() == Token::State::kDriver || (now.state() == Token::State::kLent && !due);
    quiet = calm && now.pauses() - seen.pauses() <= few ? quiet + 1 : 0;
    few = 0;
    seen = now;
  }
}

// Without a limit, until there is a pause to look after. False: there may be one already.
bool Driver::nap(std::unique_lock<std::mutex>& lock) {
  if (change([](const Token& token) { return token.sleep(); })) {
    guardian_.wait(lock, [&] { return !load().asleep(); });
    return true;
  }
  if (!change([](const Token& token) { return token.doze(); })) return false;
  lock.unlock();
  driven_.await_due();
  lock.lock();
  change([](const Token& token) { return std::optional(token.rise()); });
  return true;
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
  if (before.dozing()) wakeable_.wake();
  if (before.asleep() || after.retired()) notify(guardian_);
}

void Driver::lend() {
  Token before;
  if (!driven_.expose() || !change([](const Token& token) { return token.lend(); }, &before)) {
    return pause();
  }
  if (before.asleep()) notify(guardian_);
}

void Driver::ask_loan() {
  if (change([](const Token& token) { return token.ask_loan(); })) wakeable_.wake();
}

void Driver::hurry() {
  Token before;
  if (!change([](const Token& token) { return token.hurry(); }, &before)) return;
  if (before.dozing()) wakeable_.wake();
  notify(guardian_);
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
