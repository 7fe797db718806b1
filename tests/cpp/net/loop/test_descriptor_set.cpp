#include "net/loop/descriptor_set.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

namespace httpuv::net {
namespace {

TEST_CASE("descriptors are marked and unmarked") {
  DescriptorSet set;
  for (const int fd : {0, 1, 63, 64, 32'767, 32'768, (1 << 21) - 1}) {
    CAPTURE(fd);
    CHECK_FALSE(set.contains(fd));
    CHECK(set.add(fd));
    CHECK(set.contains(fd));
    CHECK_FALSE(set.contains(fd + 1));
    set.remove(fd);
    CHECK_FALSE(set.contains(fd));
  }
}

TEST_CASE("what cannot be marked is refused") {
  DescriptorSet set;
  CHECK_FALSE(set.add(-1));
  CHECK_FALSE(set.add(1 << 21));
  set.remove(-1);
  set.remove(1 << 21);
  CHECK_FALSE(set.contains(-1));
  CHECK_FALSE(set.contains(1 << 21));
}

TEST_CASE("close_all closes what is marked and nothing else") {
  int ours[2];
  int other[2];
  REQUIRE(pipe(ours) == 0);
  REQUIRE(pipe(other) == 0);
  DescriptorSet set;
  set.add(ours[0]);
  set.add(ours[1]);
  set.add(other[0]);
  set.remove(other[0]);
  set.close_all();
  CHECK(fcntl(ours[0], F_GETFD) < 0);
  CHECK(fcntl(ours[1], F_GETFD) < 0);
  CHECK(fcntl(other[0], F_GETFD) >= 0);
  CHECK_FALSE(set.contains(ours[0]));
  // A number that is used again afterwards is left alone.
  const int reused = dup(other[0]);
  set.close_all();
  CHECK(fcntl(reused, F_GETFD) >= 0);
  close(reused);
  close(other[0]);
  close(other[1]);
}

}  // namespace
}  // namespace httpuv::net
