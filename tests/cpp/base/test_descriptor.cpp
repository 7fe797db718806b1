#include "base/descriptor.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace httpuv::base {
namespace {

int open_one() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  return fd;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

TEST_CASE("a descriptor is closed with its owner") {
  const int fd = open_one();
  {
    const Descriptor owner(fd);
    CHECK(owner.valid());
    CHECK(owner.get() == fd);
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("it moves, and has one owner at a time") {
  const int fd = open_one();
  Descriptor first(fd);
  Descriptor second(std::move(first));
  CHECK_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): that is the point
  CHECK(second.get() == fd);
  const int other = open_one();
  Descriptor third(other);
  third = std::move(second);
  CHECK_FALSE(is_open(other));
  CHECK(third.get() == fd);
  CHECK(is_open(fd));
  third = Descriptor();
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("what is released stays open") {
  const int fd = open_one();
  {
    Descriptor owner(fd);
    CHECK(owner.release() == fd);
    CHECK_FALSE(owner.valid());
  }
  CHECK(is_open(fd));
  ::close(fd);
}

}  // namespace
}  // namespace httpuv::base
