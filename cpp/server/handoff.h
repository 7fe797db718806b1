// Commands in, events out, and which thread is woken for them.
//
// What: the mailbox of a server, the token of its loop (net::Driver), and every decision to wake a
//   thread or not: a command wakes the loop unless the loop is paused, because its next owner looks
//   into the mailbox first; a loop that has made one event for an idle application lingers for its
//   answer; a loop whose application is inside a callback looks for commands by itself.
// Thread: each part says it. "The owner" is the thread that drives the loop now.
// Owner: the Server; open() and shut() are the ends of what a running server has.
// Failure: none. post() answers false when nothing takes commands.
// More than 25 members and methods, because most of it is one line for its mailbox or its driver.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/mailbox.h"
#include "net/driver/driver.h"
#include "net/loop/loop.h"
#include "net/loop/ticker.h"
#include "server/message/commands.h"
#include "server/message/events.h"

namespace httpuv::server {

class Handoff {
 public:
  explicit Handoff(EventSink& sink) : sink_(sink) {}

  // --- the thread that starts the server, before any other thread knows it ---
  void open(net::Loop& loop, net::Driven& driven);

  // --- any thread ---
  // `ring` false: the loop is not woken; the caller rings soon.
  bool post(Command&& command, bool ring);
  void ring();
  // As ring(), and the calling thread waits for the result: a paused loop is taken at once.
  void hurry();
  // The application begins to handle events. The loop may have stopped looking for its commands,
  // because no thread ran callbacks.
  void begin();
  // The thread that stops the server: no thread but the loop's own drives from now on.
  void retire() { driver_->retire(); }
  [[nodiscard]] net::Driver& driver() { return *driver_; }

  // What waits counts for so many bytes; how often all of it was taken; whether anything waits.
  [[nodiscard]] const std::atomic<std::size_t>& bytes_waiting() const {
    return mailbox_.bytes_waiting();
  }
  [[nodiscard]] std::uint64_t drains() const { return mailbox_.drains(); }
  [[nodiscard]] bool has_mail() { return !mailbox_.empty(); }
  // Waits until less than that waits, after hurry(). Not the owner.
  void wait_below(std::size_t bytes, std::chrono::milliseconds most) {
    mailbox_.wait_below(bytes, most);
  }

  // --- the owner ---
  // Commands that wait; false: none.
  bool take(std::vector<Command>& into) { return mailbox_.drain(into); }
  void close(std::vector<Command>& rest);
  // The calling thread owns the loop from now on.
  void taken(bool by_guardian);
  // So many events were delivered. True: an answer came at once, and is to be taken; `linger`: it
  // may be waited for, because the application was idle before.
  bool delivered(std::size_t events, bool linger);
  // The mailbox was looked into.
  void looked();
  // What is done as often as the loop looks by itself.
  std::function<void()> on_look;

  // In a forked child.
  void forget() noexcept {
    mailbox_.forget_threads();
    if (driver_ != nullptr) driver_->forget();
  }

 private:
  void look();

  EventSink& sink_;
  base::Mailbox<Command> mailbox_;
  net::Loop* loop_ = nullptr;
  std::unique_ptr<net::Driver> driver_;
  std::unique_ptr<net::Ticker> ticker_;  // the owner's; null at the end
  bool guarded_ = true;                  // the owner's: it is the loop's own thread
  int unattended_looks_ = 0;
  std::atomic<bool> dozing_{false};  // events wait, but the loop looks for commands no more
};

}  // namespace httpuv::server
