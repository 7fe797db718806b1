// Bodies that are longer than their share of memory, and a disk that is behind.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../../limits.h"
#include "../application.h"
#include "files/disk/stamp.h"
#include "net/lanes/lanes.h"
#include "net/loop/loop.h"
#include "server/worker/body_collector.h"

namespace httpuv::server {
namespace {

constexpr std::size_t kMega = std::size_t{1024} * 1024;
const SpoolFolder kFolder{"/tmp", files::device_of("/tmp")};

// Keeps every thread that a device may have from its work until `open` is called.
class BusyDisk {
 public:
  BusyDisk(net::Lanes& lanes, std::uint64_t device) {
    constexpr unsigned kThreads = net::Lanes::kDiskThreads / 2;
    const auto nobody = std::make_shared<net::Completions>([] {});
    nobody->close();
    std::vector<std::future<void>> begun;
    for (unsigned i = 0; i < kThreads; ++i) {
      auto began = std::make_shared<std::promise<void>>();
      begun.push_back(began->get_future());
      const auto work = std::make_shared<net::Work>();
      work->completions = nobody;
      work->job = [began, opened = opened_] {
        began->set_value();
        opened.wait();
        return false;
      };
      lanes.disk(device, work);
    }
    for (std::future<void>& each : begun) each.wait();
  }
  ~BusyDisk() { open(); }

  void open() {
    if (!std::exchange(open_, true)) gate_.set_value();
  }

 private:
  std::promise<void> gate_;
  std::shared_future<void> opened_ = gate_.get_future().share();
  bool open_ = false;
};

std::shared_ptr<net::Lanes> start_lanes() {
  int error = 0;
  std::shared_ptr<net::Lanes> lanes = net::Lanes::start(&error);
  REQUIRE(error == 0);
  return lanes;
}

std::unique_ptr<net::Loop> make_loop(std::shared_ptr<net::Lanes> lanes = start_lanes()) {
  int error = 0;
  std::unique_ptr<net::Loop> loop = net::Loop::create(&error, std::move(lanes));
  REQUIRE(error == 0);
  return loop;
}

Settings on_tmp() {
  Settings settings(usual_limits());
  settings.spool_folder = kFolder.path;
  return settings;
}

std::shared_ptr<Budget> make_budget() {
  return std::make_shared<Budget>(Budget::Bounds{64 * kMega, 64 * kMega, 128 * kMega});
}

std::string content(int fd) {
  std::string all;
  char chunk[65536];
  ssize_t n = 0;
  while ((n = ::pread(fd, chunk, sizeof chunk, static_cast<off_t>(all.size()))) > 0) {
    all.append(chunk, static_cast<std::size_t>(n));
  }
  return all;
}

TEST_CASE("a body that fits stays in memory") {
  const std::unique_ptr<net::Loop> loop = make_loop();
  const std::shared_ptr<Budget> budget = make_budget();
  {
    BodyCollector body(*loop, *budget, kFolder, 10, [] {});
    body.append("01234");
    body.append("56789");
    CHECK_FALSE(body.finished());
    body.end();
    CHECK(body.finished());
    CHECK_FALSE(body.full());
    base::Charge memory;
    const RequestBody taken = body.take(memory);
    CHECK(taken.bytes == "0123456789");
    CHECK(taken.length == 10);
    CHECK_FALSE(taken.file.valid());
  }
  loop->finish();
  loop->run();
}

TEST_CASE("a disk that is behind fills the body up, and later gets all of it") {
  const std::shared_ptr<net::Lanes> lanes = start_lanes();
  const std::unique_ptr<net::Loop> loop = make_loop(lanes);
  const std::shared_ptr<Budget> budget = make_budget();
  BusyDisk disk(*lanes, kFolder.device);
  std::string sent;
  BodyCollector body(*loop, *budget, kFolder, 10, [&] {
    if (body.finished()) loop->finish();
  });
  while (!body.full()) {
    REQUIRE(sent.size() < 4 * kMega);
    const std::string piece(10'007, static_cast<char>('a' + sent.size() % 26));
    body.append(piece);
    sent += piece;
  }
  CHECK(sent.size() >= kMega);
  body.end();
  CHECK_FALSE(body.finished());
  disk.open();
  loop->run();
  CHECK(body.error() == 0);
  CHECK_FALSE(body.full());
  base::Charge memory;
  const RequestBody taken = body.take(memory);
  CHECK(taken.length == sent.size());
  CHECK(taken.bytes.empty());
  CHECK((content(taken.file.get()) == sent));
}

TEST_CASE("a folder that is not there is an error, once") {
  const std::unique_ptr<net::Loop> loop = make_loop();
  const std::shared_ptr<Budget> budget = make_budget();
  const SpoolFolder nowhere{"/no/such/folder"};
  BodyCollector body(*loop, *budget, nowhere, 10, [&] { loop->finish(); });
  body.append(std::string(100, 'x'));
  loop->run();
  CHECK(body.error() == ENOENT);
}

TEST_CASE("a body that is not wanted any more may go while the disk is behind") {
  const std::shared_ptr<net::Lanes> lanes = start_lanes();
  const std::unique_ptr<net::Loop> loop = make_loop(lanes);
  const std::shared_ptr<Budget> budget = make_budget();
  BusyDisk disk(*lanes, kFolder.device);
  bool told = false;
  {
    BodyCollector body(*loop, *budget, kFolder, 10, [&] { told = true; });
    body.append(std::string(100, 'x'));
    body.append(std::string(100, 'y'));
  }
  disk.open();
  loop->finish();
  loop->run();
  CHECK_FALSE(told);
}

TEST_CASE("a disk that fails is a 500, whether the body has come or is coming") {
  Settings settings(usual_limits());
  settings.spool_folder = "/no/such/folder";
  TestServer server(echo, settings);
  for (const std::size_t sent : {70'000UL, 100'000UL}) {
    TestClient client(server.port());
    client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                std::string(sent, 'b'));
    CHECK(client.read_all().find("HTTP/1.1 500 ") == 0);
  }
  TestClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(client.read_until("GET / ").find("200 OK") != std::string::npos);
}

TEST_CASE("a client waits for a disk that is behind") {
  const std::shared_ptr<net::Lanes> lanes = start_lanes();
  TestServer server(
      [](Server& self, Event&& event) {
        if (auto* request = std::get_if<RequestEvent>(&event)) {
          const std::uint64_t length = request->envelope->body.length;
          respond(self, std::move(request->envelope), 200, std::to_string(length) + ".");
        }
      },
      on_tmp(), lanes);
  BusyDisk disk(*lanes, kFolder.device);
  TestClient client(server.port());
  const std::string body(64 * kMega, 'b');
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n\r\n");
  // What the kernel's buffers and the server take, and then no more.
  const std::size_t taken = client.send_while_taken(body, 500);
  CHECK(taken < body.size());
  disk.open();
  client.send(std::string_view(body).substr(taken));
  CHECK(client.read_until(std::to_string(body.size()) + ".").find("200 OK") != std::string::npos);
}

TEST_CASE("a server stops in its time while its disk hangs, and other disks and computing go on") {
  const std::shared_ptr<net::Lanes> lanes = start_lanes();
  auto server = std::make_unique<TestServer>(echo, on_tmp(), lanes);
  BusyDisk disk(*lanes, kFolder.device);
  TestClient client(server->port());
  client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" +
              std::string(200'000, 'b'));
  {
    TestClient other(server->port());
    other.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(other.read_until("GET /x").find("200 OK") != std::string::npos);
  }
  // What hangs is released only when the server has ended.
  const auto before = std::chrono::steady_clock::now();
  server.reset();
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));
  disk.open();
}

}  // namespace
}  // namespace httpuv::server
