#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "../../uninterrupted.h"
#include "net/loop/uv_memory.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HTTPUV_OWN_ALLOCATOR 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HTTPUV_OWN_ALLOCATOR 1
#endif
#endif

namespace httpuv::net {
namespace {

#if defined(__linux__) && !defined(HTTPUV_OWN_ALLOCATOR)

// In a child, since what it does to its memory cannot be undone.
int grow_without_memory() {
  reserve_uv_memory();
  void* const table = std::malloc(std::size_t{8} * 1024);
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlimit none{pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), RLIM_INFINITY};
  if (table == nullptr || pages == 0 || setrlimit(RLIMIT_AS, &none) != 0) return 2;
  for (std::size_t size = std::size_t{1} << 20; size >= 16; size /= 2) {
    while (void* const block = std::malloc(size)) *static_cast<volatile char*>(block) = 1;
  }
  constexpr std::size_t kMore = std::size_t{300} * 1024;
  if (std::malloc(kMore) != nullptr) return 3;
  return reallocate_with_reserve(table, kMore) != nullptr ? 0 : 1;
}

TEST_CASE("libuv's table grows where no memory is left") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(grow_without_memory());
  int status = 0;
  REQUIRE(httpuv::test::uninterrupted([&] { return waitpid(child, &status, 0); }) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

#endif

}  // namespace
}  // namespace httpuv::net
