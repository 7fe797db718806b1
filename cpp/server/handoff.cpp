#include "server/handoff.h"

#include <chrono>
#include <utility>

namespace httpuv::server {

namespace {

// While the application is inside a callback the loop looks for commands by itself this often: they
// are posted without waking the loop each time, and a callback that takes long must not hold up
// those that were made before, by it or by others.
constexpr int kLookMs = 2;

// So many looks while no thread runs callbacks: then the loop waits to be told.
constexpr int kUnattendedLooks = 5;

// An application that has nothing else to do often answers a single event sooner than two threads
// can be put to sleep and woken; so the loop looks for its answer for this long before it sleeps.
constexpr std::chrono::microseconds kLinger{30};

}  // namespace

void Handoff::open(net::Loop& loop, net::Driven& driven) {
  loop_ = &loop;
  driver_ = std::make_unique<net::Driver>(driven, loop);
  ticker_ = std::make_unique<net::Ticker>(loop, [this] { look(); });
}

bool Handoff::post(Command&& command, bool ring_now) {
  const std::size_t bytes = cost_of(command);
  if (mailbox_.post(std::move(command), bytes) == base::Post::kClosed) return false;
  if (ring_now) ring();  // also if others wait: the thread that posted them may not have rung yet
  return true;
}

void Handoff::ring() {
  if (!driver_->paused()) loop_->wake();
}

void Handoff::hurry() {
  driver_->hurry();
  ring();
}

void Handoff::begin() {
  if (dozing_.load() && dozing_.exchange(false)) ring();
}

void Handoff::close(std::vector<Command>& rest) {
  ticker_.reset();
  mailbox_.close(rest);
}

void Handoff::taken(bool by_guardian) {
  guarded_ = by_guardian;
  if (!guarded_ && ticker_ != nullptr) ticker_->stop();
}

bool Handoff::delivered(std::size_t events, bool linger) {
  // A thread that drives looks when it has run the callbacks.
  if (events == 0 || !guarded_) return false;
  if (events == 1 && linger) {
    const auto answered = [this] { return !mailbox_.empty(); };
    if (answered() || loop_->linger(kLinger, answered)) return true;
  }
  looked();
  return false;
}

void Handoff::looked() {
  if (ticker_ == nullptr || !guarded_) return;
  if (sink_.idle()) {
    ticker_->stop();
  } else if (!ticker_->active() && !dozing_.load()) {
    unattended_looks_ = 0;
    ticker_->start(kLookMs);
  }
}

void Handoff::look() {
  unattended_looks_ = sink_.attended() ? 0 : unattended_looks_ + 1;
  if (unattended_looks_ >= kUnattendedLooks) {
    unattended_looks_ = 0;
    dozing_.store(true);
    // In this order: a thread that begins now sees either that the loop dozes or is seen itself.
    if (sink_.attended()) {
      dozing_.store(false);
    } else {
      ticker_->stop();
    }
  }
  on_look();
}

}  // namespace httpuv::server
