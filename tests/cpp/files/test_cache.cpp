#include "files/cache/cache.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <string>
#include <utility>
#include <vector>

#include "world.h"

using namespace httpuv::files;

TEST_CASE("an entry that was not looked at for a while is checked on the pool") {
  CacheLimits limits;
  limits.in_core_ms = 0;
  World world(limits);
  world.tree.write("a.txt", "one");
  world.tree.settle();
  CHECK(world.get("/a.txt") == "one");
  const std::uint32_t number = world.ask("/a.txt");
  world.service.end_turn();
  CHECK_FALSE(world.answered(number));
  CHECK(world.jobs.size() == 1);
  world.settle();
  CHECK(world.got(number) == "one");
  CHECK(world.service.counters().pool_checks == 1);
  CHECK(world.service.counters().opens == 1);
  CHECK(world.service.counters().checks == 0);
  world.tree.replace("a.txt", "two");
  CHECK(world.get("/a.txt") == "two");
}

TEST_CASE("what does not exist is remembered for everything below it") {
  World world;
  Route route = world.route();
  route.options.fallthrough = true;
  world.use(route);
  world.tree.write("static/a.txt", "a");
  world.tree.settle();
  CHECK(world.get("/api/items/1") == "(application)");
  const std::uint64_t opens = world.service.counters().opens;
  for (const char* path : {"/api/items/1", "/api/items/2", "/api", "/api/", "/api/x/y/z/"}) {
    CAPTURE(path);
    const std::uint32_t number = world.ask(path);
    world.service.end_turn();
    CHECK(world.got(number) == "(application)");
  }
  CHECK(world.service.counters().opens == opens);
  CHECK(world.service.counters().absent_hits == 5);
  CHECK(world.service.counters().absent == 1);
  // Next to it nothing is known.
  CHECK(world.get("/apis") == "(application)");
  CHECK(world.get("/static/a.txt") == "a");

  world.tree.write("api/items/1", "now a file");
  CHECK(world.get("/api/items/1") == "now a file");
  CHECK(world.get("/api/items/2") == "(application)");
}

TEST_CASE("the memory of what does not exist is bounded") {
  CacheLimits limits;
  limits.absent = 10;
  World world(limits);
  world.tree.settle();
  for (int i = 0; i < 100; ++i) CHECK(world.get("/none" + std::to_string(i)) == "404");
  CHECK(world.service.counters().absent == 10);
  CHECK(world.service.counters().entries == 0);
  const std::uint32_t number = world.ask("/none99");
  world.service.end_turn();
  CHECK(world.got(number) == "404");
}

TEST_CASE("the cache is bounded in entries, bytes and descriptors") {
  CacheLimits limits;
  limits.entries = 10;
  limits.bytes = 40'000;
  limits.descriptors = 3;
  limits.small_file = 5'000;
  World world(limits);
  for (int i = 0; i < 40; ++i) {
    world.tree.write("s" + std::to_string(i), std::to_string(i));
    world.tree.write("m" + std::to_string(i), std::string(4'000, 'm'));
    world.tree.write("l" + std::to_string(i), std::string(6'000, 'l'));
  }
  world.tree.settle();
  for (const char* kind : {"s", "m", "l"}) {
    for (int i = 0; i < 40; ++i) {
      world.get("/" + std::string(kind) + std::to_string(i));
      const ServiceCounters counters = world.service.counters();
      REQUIRE(counters.entries <= 10);
      REQUIRE(counters.bytes <= 40'000);
      REQUIRE(counters.descriptors <= 3);
    }
    CHECK(world.service.counters().evictions > 0);
  }
  CHECK(world.service.counters().descriptors == 3);
  // An evicted entry stays alive while an answer uses it.
  CHECK(world.answers.at(world.last - 39).entry->unchanged());
}

TEST_CASE("ten thousand small files stay in the cache") {
  constexpr int kFiles = 10'000;
  World world;
  for (int i = 0; i < kFiles; ++i) world.tree.write(std::to_string(i), std::string(1024, 'x'));
  world.tree.settle();
  const auto get_all = [&] {
    for (int i = 0; i < kFiles; ++i) world.get("/" + std::to_string(i));
    world.answers.clear();
    return world.service.counters();
  };
  CHECK(get_all().opens == kFiles);
  const ServiceCounters counters = get_all();
  CHECK(counters.entries == kFiles);
  CHECK(counters.evictions == 0);
  CHECK(counters.descriptors == 0);
  // Where the machine was slow they were looked at on the pool, but none was opened again.
  CHECK(counters.opens == kFiles);
  CHECK(counters.hits + counters.pool_checks == kFiles);
}

TEST_CASE("most descriptors of a process are left to its connections") {
  struct rlimit usual;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  struct rlimit few = usual;
  few.rlim_cur = 64;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  CacheLimits limits;
  limits.small_file = 0;
  World world(limits);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
  for (int i = 0; i < 40; ++i) world.tree.write(std::to_string(i), "x");
  world.tree.settle();
  for (int i = 0; i < 40; ++i) CHECK(world.get("/" + std::to_string(i)) == "(1)");
  world.answers.clear();
  CHECK(world.service.counters().descriptors == 16);
}

TEST_CASE("the least recently used goes first") {
  CacheLimits limits;
  limits.entries = 2;
  World world(limits);
  for (const char* name : {"a", "b", "c"}) world.tree.write(name, name);
  world.tree.settle();
  world.get("/a");
  world.get("/b");
  world.get("/a");
  world.get("/c");
  const std::uint64_t opens = world.service.counters().opens;
  CHECK(world.get("/a") == "a");
  CHECK(world.service.counters().opens == opens);
  CHECK(world.get("/b") == "b");
  CHECK(world.service.counters().opens == opens + 1);
}

TEST_CASE("when descriptors run out the cache gives back its own") {
  CacheLimits limits;
  limits.small_file = 0;
  World world(limits);
  for (int i = 0; i < 4; ++i) world.tree.write("f" + std::to_string(i), "x");
  world.tree.settle();
  for (int i = 0; i < 3; ++i) CHECK(world.get("/f" + std::to_string(i)) == "(1)");
  world.answers.clear();
  CHECK(world.service.counters().descriptors == 3);
  struct rlimit usual;
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
  struct rlimit few = usual;
  few.rlim_cur = 128;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<httpuv::base::Descriptor> taken;
  for (;;) {
    httpuv::base::Descriptor fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) break;
    taken.push_back(std::move(fd));
  }
  CHECK(world.get("/f3") == "(error)");
  CHECK(world.service.counters().descriptors == 0);
  CHECK(world.get("/f3") == "(1)");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
}
