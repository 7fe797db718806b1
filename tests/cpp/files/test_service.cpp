#include "files/cache/service.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "world.h"

using namespace httpuv::files;

TEST_CASE("the first request goes to the pool, the next ones to the cache") {
  World world;
  world.tree.write("a.txt", "hello");
  world.tree.settle();
  const std::uint32_t first = world.ask("/a.txt");
  CHECK_FALSE(world.answered(first));
  world.service.end_turn();
  CHECK_FALSE(world.answered(first));
  CHECK_FALSE(world.service.idle());
  CHECK(world.run_job());
  CHECK(world.got(first) == "hello");
  CHECK(world.service.idle());

  const std::uint32_t second = world.ask("/a.txt");
  CHECK_FALSE(world.answered(second));
  world.service.end_turn();
  CHECK(world.got(second) == "hello");
  CHECK(world.jobs.empty());
  CHECK(world.service.counters().hits == 1);
  CHECK(world.service.counters().opens == 1);
  CHECK(world.service.counters().entries == 1);
}

TEST_CASE("requests of one turn share one check and one search") {
  World world;
  world.tree.write("a.bin", "hello");
  world.tree.settle();
  std::vector<std::uint32_t> numbers;
  for (int i = 0; i < 64; ++i) numbers.push_back(world.ask("/a.bin"));
  world.service.end_turn();
  CHECK(world.jobs.size() == 1);
  world.settle();
  const std::uint64_t before = world.service.counters().checks;
  for (int i = 0; i < 64; ++i) numbers.push_back(world.ask("/a.bin"));
  world.service.end_turn();
  for (const std::uint32_t number : numbers) CHECK(world.got(number) == "hello");
  // The file, and its directory because of forms that might appear.
  CHECK(world.service.counters().checks - before == 2);
}

TEST_CASE("a replaced file is fresh on the very next request") {
  World world;
  world.tree.write("a.txt", "one");
  world.tree.settle();
  CHECK(world.get("/a.txt") == "one");
  CHECK(world.get("/a.txt") == "one");
  world.tree.replace("a.txt", "two");
  CHECK(world.get("/a.txt") == "two");
  CHECK(world.get("/a.txt") == "two");
  world.tree.write("a.txt", "thr");
  CHECK(world.get("/a.txt") == "thr");
  for (int i = 0; i < 200; ++i) {
    const std::string content = std::to_string(1000 + i);
    world.tree.write("a.txt", content);
    REQUIRE(world.get("/a.txt") == content);
  }
  world.tree.remove("a.txt");
  CHECK(world.get("/a.txt") == "404");
  world.tree.write("a.txt", "back");
  CHECK(world.get("/a.txt") == "back");
}

TEST_CASE("a request that comes while the pool searches is not answered by that search") {
  World world;
  world.tree.write("a.txt", "one");
  world.tree.settle();
  const std::uint32_t first = world.ask("/a.txt");
  world.service.end_turn();
  auto [job, done] = std::move(world.jobs.front());
  world.jobs.pop_front();
  job();
  world.tree.replace("a.txt", "two");
  const std::uint32_t second = world.ask("/a.txt");
  world.service.end_turn();
  done(true);
  CHECK(world.got(first) == "one");
  CHECK_FALSE(world.answered(second));
  world.settle();
  CHECK(world.got(second) == "two");
}

TEST_CASE("a callback may ask again at once") {
  World world;
  world.tree.write("a.txt", "a");
  world.tree.write("b.txt", "b");
  world.tree.settle();
  world.get("/a.txt");
  world.get("/b.txt");
  int left = 10;
  world.on_answer = [&](const Token&) {
    if (left-- > 0) world.ask(left % 2 == 0 ? "/a.txt" : "/b.txt");
  };
  world.ask("/a.txt");
  world.service.end_turn();
  CHECK(left == -1);
  CHECK(world.got(world.last) == "a");
  CHECK(world.jobs.empty());
  world.on_answer = nullptr;
}

TEST_CASE("new routes hold for the next request; those under way end as they began") {
  World world;
  world.tree.write("old/a.txt", "old");
  world.tree.write("new/a.txt", "new");
  world.tree.settle();
  Route old_route = world.route();
  old_route.local_path = world.tree.path("old");
  Route new_route = world.route();
  new_route.local_path = world.tree.path("new");
  world.use(old_route);
  CHECK(world.get("/a.txt") == "old");
  const std::uint32_t cached = world.ask("/a.txt");
  const std::uint32_t searching = world.ask("/none");
  world.use(new_route);
  const std::uint32_t next = world.ask("/a.txt");
  world.settle();
  CHECK(world.got(cached) == "old");
  CHECK(world.got(searching) == "404");
  CHECK(world.got(next) == "new");
  CHECK(world.service.counters().entries == 1);

  const std::uint32_t running = world.ask("/b.txt");
  world.service.end_turn();
  world.use(old_route);
  world.use(std::vector<Route>{});
  world.settle();
  CHECK(world.got(running) == "404");
  CHECK(world.service.counters().entries == 0);
  CHECK(world.service.idle());
}

TEST_CASE("a path that stopped being static goes to the application") {
  World world;
  world.tree.write("a.txt", "a");
  world.service.resolve(Token{1, 1}, std::string_view("/a.txt"));
  world.settle();
  CHECK(world.got(1) == "a");
  world.use(std::vector<Route>{});
  world.service.resolve(Token{1, 2}, std::string_view("/a.txt"));
  CHECK_FALSE(world.answered(2));
  CHECK_FALSE(world.service.idle());
  world.settle();
  CHECK(world.got(2) == "(application)");
}

TEST_CASE("hidden and overlong names need no disk") {
  World world;
  world.tree.write(".env", "secret");
  const std::vector<std::string> paths = {"/.env", "/x/.git/y", "/" + std::string(5'000, 'a')};
  for (const std::string& path : paths) {
    const std::uint32_t number = world.ask(path);
    world.service.end_turn();
    CHECK(world.got(number) == "404");
  }
  CHECK(world.jobs.empty());

  world.tree.write("404.html", "lost");
  Route route = world.route();
  route.options.not_found = "404.html";
  world.use(route);
  CHECK(world.get("/.env") == "404 lost");
  CHECK(world.get("/none") == "404 lost");
  route.options.fallthrough = true;
  world.use(route);
  CHECK(world.get("/.env") == "(application)");
  route.options.fallthrough = false;
  route.options.dotfiles = true;
  world.use(route);
  CHECK(world.get("/.env") == "secret");
}

TEST_CASE("the page of a 404 is fresh, too") {
  World world;
  world.tree.write("404.html", "one");
  Route route = world.route();
  route.options.not_found = "404.html";
  world.use(route);
  world.tree.settle();
  CHECK(world.get("/none") == "404 one");
  CHECK(world.get("/none") == "404 one");
  CHECK(world.service.counters().absent_hits == 1);
  world.tree.replace("404.html", "two");
  CHECK(world.get("/none") == "404 two");
}

TEST_CASE("redirects, indexes and listings follow the directory") {
  World world;
  world.tree.write("d/index.html", "index");
  Route route = world.route();
  world.use(route);
  world.tree.settle();
  for (int i = 0; i < 2; ++i) {
    CHECK(world.get("/d") == "-> /d/");
    CHECK(world.get("/d/") == "index");
  }
  world.tree.remove("d/index.html");
  CHECK(world.get("/d") == "404");
  CHECK(world.get("/d/") == "404");
  world.tree.settle();
  CHECK(world.get("/d/") == "404");
  world.tree.write("d/index.html", "back");
  CHECK(world.get("/d/") == "back");
  route.options.indexhtml = false;
  route.options.listing = true;
  world.use(route);
  CHECK(world.get("/d/") == "(listing)");
  CHECK(world.get("/d/") == "(listing)");
  CHECK(world.service.counters().entries == 0);
}

TEST_CASE("encoded forms that come, change and go are noticed") {
  World world;
  world.tree.write("a.js", "plain");
  world.tree.settle();
  const auto gzip_form = [&] {
    world.get("/a.js");
    const auto& form = world.answers.at(world.last).entry->variants[2];
    return form == nullptr ? "-" : form->content;
  };
  CHECK(gzip_form() == "-");
  world.tree.write("a.js.gz", "one");
  CHECK(gzip_form() == "one");
  world.tree.settle();
  CHECK(gzip_form() == "one");
  world.tree.write("a.js.gz", "two");
  CHECK(gzip_form() == "two");
  world.tree.settle();
  // Now the plain file is the newer one.
  world.tree.replace("a.js", "plain 2");
  CHECK(gzip_form() == "-");
  world.tree.remove("a.js.gz");
  CHECK(gzip_form() == "-");
}

TEST_CASE("both ways of opening serve the same") {
  CacheLimits limits;
  limits.use_openat2 = false;
  World world(limits);
  world.tree.write("d/a.txt", "a");
  world.tree.symlink("/etc", "etc");
  CHECK(world.get("/d/a.txt") == "a");
  CHECK(world.get("/etc/hostname") == "404");
  CHECK(world.get("/d/a.txt/b") == "404");
}
