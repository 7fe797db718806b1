#include "python/waking/signal_relay.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace httpuv::python {

namespace {

std::atomic<int> g_fd{-1};
std::atomic<pid_t> g_process{0};
std::atomic<bool> g_second_exits{false};
std::atomic<bool> g_one_came{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void relay(int number) {
  const int before = errno;
  if (getpid() != g_process.load(std::memory_order_relaxed)) {
    // The signal is blocked while its handler runs, so it is delivered after that.
    std::signal(number, SIG_DFL);
    raise(number);
  } else if (g_one_came.exchange(true) && g_second_exits) {
    _exit(128 + number);
  } else {
    const auto byte = static_cast<unsigned char>(number);
    [[maybe_unused]] const ssize_t written = write(g_fd, &byte, 1);
  }
  errno = before;
}

}  // namespace

void relay_signals(const std::vector<int>& signals, int fd, bool second_exits) {
  g_fd = fd;
  g_process = getpid();
  g_second_exits = second_exits;
  struct sigaction action {};
  action.sa_handler = relay;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int each : signals) {
    if (sigaction(each, &action, nullptr) != 0) {
      throw std::system_error(errno, std::generic_category(), "sigaction");
    }
  }
}

}  // namespace httpuv::python
