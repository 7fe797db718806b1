#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "base/thread_check.h"

namespace httpuv::base {
namespace {

TEST_CASE("every thread is right before bind, then only the one") {
  ThreadCheck check;
  check.assert_here();
  std::thread([&check] { check.assert_here(); }).join();
  check.bind();
  check.assert_here();
  std::thread([&check] { check.bind(); }).join();
}

#if !defined(NDEBUG) && !defined(__SANITIZE_THREAD__)
TEST_CASE("the wrong thread aborts") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    const int quiet = dup2(STDIN_FILENO, STDERR_FILENO);
    static_cast<void>(quiet);
    ThreadCheck check;
    check.bind();
    std::thread([&check] { check.assert_here(); }).join();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}
#endif

}  // namespace
}  // namespace httpuv::base
