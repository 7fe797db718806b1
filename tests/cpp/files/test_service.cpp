#include "files/service.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "temp_tree.h"

using namespace httpuv::files;

namespace {

// A pool and a loop on one thread, each step at the test's command.
class World : public Executor, public Sink {
 public:
  explicit World(const CacheLimits& limits = {}) : service(*this, *this, limits) { use(route()); }
  ~World() override { settle(); }

  Route route() const {
    Route made;
    made.local_path = tree.root();
    return made;
  }
  void use(Route made) { use(std::vector<Route>{std::move(made)}); }
  void use(std::vector<Route> made) {
    service.set_routes(std::make_shared<const RouteTable>(std::move(made), nullptr));
  }

  void submit(std::function<void()> job, std::function<void()> done) override {
    jobs.emplace_back(std::move(job), std::move(done));
  }
  void on_resolved(const Token& token, const Resolution& resolution) override {
    REQUIRE(answers.count(token.exchange) == 0);
    answers.emplace(token.exchange, resolution);
    if (on_answer) on_answer(token);
  }

  // Asks for a path; the number of the request.
  std::uint32_t ask(const std::string& path) {
    const Match match = service.classify(path);
    REQUIRE(match.kind == MatchKind::kRoute);
    service.resolve(Token{1, ++last}, match);
    return last;
  }

  bool run_job() {
    if (jobs.empty()) return false;
    auto [job, done] = std::move(jobs.front());
    jobs.pop_front();
    job();
    done();
    service.end_turn();
    return true;
  }
  void settle() {
    service.end_turn();
    while (run_job()) {
    }
  }

  bool answered(std::uint32_t number) const { return answers.count(number) > 0; }

  // What a finished request got: a file's bytes, or the kind.
  std::string got(std::uint32_t number) const {
    const auto found = answers.find(number);
    if (found == answers.end()) return "(nothing yet)";
    const Resolution& resolution = found->second;
    switch (resolution.kind) {
      case ResolutionKind::kFile:
        return resolution.entry->in_memory ? resolution.entry->content
                                           : "(" + std::to_string(resolution.entry->size) + ")";
      case ResolutionKind::kListing:
        return "(listing)";
      case ResolutionKind::kRedirect:
        return "-> " + *resolution.location;
      case ResolutionKind::kNotFound:
        return resolution.entry ? "404 " + resolution.entry->content : "404";
      case ResolutionKind::kForbidden:
        return "403";
      case ResolutionKind::kFallthrough:
        return "(application)";
      case ResolutionKind::kError:
        break;
    }
    return "(error)";
  }
  // Asks, and waits for it.
  std::string get(const std::string& path) {
    const std::uint32_t number = ask(path);
    settle();
    return got(number);
  }

  TempTree tree;
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs;
  std::map<std::uint32_t, Resolution> answers;
  std::function<void(const Token&)> on_answer;
  std::uint32_t last = 0;
  FileService service;
};

}  // namespace

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
  done();
  CHECK(world.got(first) == "one");
  CHECK_FALSE(world.answered(second));
  world.settle();
  CHECK(world.got(second) == "two");
}

TEST_CASE("who is answered may ask again at once") {
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
  // What was evicted is alive as long as somebody sends it.
  CHECK(world.answers.at(world.last - 39).entry->unchanged());
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

namespace {

// A real pool of threads; `done` runs where poll() is called.
class ThreadedWorld : public Executor, public Sink {
 public:
  ThreadedWorld() : service(*this, *this, limits()) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this] { work(); });
  }
  ~ThreadedWorld() override {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void submit(std::function<void()> job, std::function<void()> done) override {
    const std::lock_guard lock(mutex_);
    jobs_.emplace_back(std::move(job), std::move(done));
    wake_.notify_one();
  }
  void on_resolved(const Token& token, const Resolution& resolution) override {
    ++answered;
    if (resolution.kind != ResolutionKind::kFile) return;
    const std::string& content = resolution.entry->content;
    // Whole states of the file only, and never one that is older than the request.
    consistent = consistent && !content.empty() &&
                 content == std::string(content.size(), content.front()) &&
                 content.size() >= token.exchange;
  }

  // Waits for what the pool has done.
  void poll() {
    std::vector<std::function<void()>> done;
    {
      std::unique_lock lock(mutex_);
      finished_.wait(lock, [this] { return !done_.empty(); });
      done.swap(done_);
    }
    for (const auto& each : done) each();
    service.end_turn();
  }

  int answered = 0;
  bool consistent = true;

 private:
  static CacheLimits limits() {
    CacheLimits limits;
    limits.in_core_ms = 0;  // everything on the pool
    return limits;
  }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      auto [job, done] = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
      done_.push_back(std::move(done));
      finished_.notify_one();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, finished_;
  std::deque<std::pair<std::function<void()>, std::function<void()>>> jobs_;
  std::vector<std::function<void()>> done_;
  std::vector<std::thread> threads_;
  bool closing_ = false;

 public:
  FileService service;
};

}  // namespace

TEST_CASE("several threads search while files change") {
  TempTree tree;
  Route route;
  route.local_path = tree.root();
  for (int i = 0; i < 8; ++i) tree.write("f" + std::to_string(i) + ".txt", "aaaa");
  ThreadedWorld world;
  const auto routes = std::vector<Route>{route};
  world.service.set_routes(std::make_shared<const RouteTable>(routes, nullptr));
  int asked = 0;
  std::uint32_t size = 4;
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 8; ++i) {
      const std::string path = "/f" + std::to_string(i) + ".txt";
      world.service.resolve(Token{1, i == 3 ? size : 0}, world.service.classify(path));
      ++asked;
    }
    world.service.resolve(Token{1, 0}, world.service.classify("/none/" + std::to_string(round)));
    ++asked;
    world.service.end_turn();
    size = 4 + static_cast<std::uint32_t>(round % 50);
    tree.replace("f3.txt", std::string(size + 50, static_cast<char>('a' + round % 26)));
    if (round % 7 == 0) {
      world.service.set_routes(std::make_shared<const RouteTable>(routes, nullptr));
    }
    if (!world.service.idle()) world.poll();
  }
  while (!world.service.idle()) world.poll();
  CHECK(world.answered == asked);
  CHECK(world.consistent);
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
  std::vector<Descriptor> taken;
  for (;;) {
    Descriptor fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) break;
    taken.push_back(std::move(fd));
  }
  CHECK(world.get("/f3") == "(error)");
  CHECK(world.service.counters().descriptors == 0);
  CHECK(world.get("/f3") == "(1)");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
}
