#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#ifdef __linux__
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "../../uninterrupted.h"
#include "../harness.h"
#include "net/file/file_slice.h"
#include "net/file/residency.h"

namespace httpuv::net {
namespace {

using test::Client;
using test::echo;
using test::kMega;
using test::kSmallBuffer;
using test::pattern;
using test::ServerHarness;
using test::Session;
using test::shrink;
using test::TempFile;

// The page cache belongs to the system: these two answer in its place.
constexpr Residency::Kernel kEverything{[](int, std::uint64_t, std::size_t) { return true; },
                                        [](int, std::uint64_t) { return true; }};
constexpr Residency::Kernel kNothing{[](int, std::uint64_t, std::size_t) { return false; },
                                     [](int, std::uint64_t) { return false; }};

TEST_CASE("files of every awkward size, with and without sendfile") {
  const std::string content = pattern(3 * kMega + 7);
  const TempFile file(content);
  for (const bool sendfile : {true, false}) {
    CAPTURE(sendfile);
    ServerHarness server;
    server.call([&] { server.loop().set_use_sendfile(sendfile); });
    Client client(server);
    Session& session = server.session();
    std::uint64_t total = 0;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{4095}, std::size_t{4096}, std::size_t{4097},
          std::size_t{65'536}, Stream::kFileSlice - 1, Stream::kFileSlice, Stream::kFileSlice + 1,
          content.size()}) {
      CAPTURE(size);
      const std::size_t offset = size == content.size() ? 0 : 5;
      server.call([&] { CHECK(session.stream.send_file("head", file.ref(), offset, size) == 0); });
      CHECK((client.receive(4 + size) == "head" + content.substr(offset, size)));
      total += 4 + size;
    }
    server.call([&] {
      CHECK(session.stream.bytes_written() == total);
      session.stream.shutdown();
    });
    CHECK(client.receive_all().empty());
  }
}

TEST_CASE("a file in memory that fits is gone when the call returns") {
  const TempFile file(pattern(50'000));
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  server.call([&] {
    server.loop().residency().set_kernel(kEverything);
    CHECK(session.stream.send_file("head ", file.ref(), 0, 50'000) == 0);
    CHECK_FALSE(session.stream.busy());
    CHECK(session.stream.bytes_written() == 50'005);
  });
  CHECK((client.receive(50'005) == "head " + pattern(50'000)));
  CHECK(session.events().empty());
}

TEST_CASE("the head travels with the beginning of the file") {
  const TempFile file(pattern(1000));
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  server.call([&] { server.loop().residency().set_kernel(kEverything); });
  for (int i = 0; i < 20; ++i) {
    server.call([&] { CHECK(session.stream.send_file("head", file.ref(), 0, 1000) == 0); });
    char buffer[2000];
    CHECK(httpuv::test::receive_some(client.fd(), buffer, sizeof(buffer)) ==
          1004);  // one packet, so one read
  }
}

TEST_CASE("bytes, shared bytes and files leave in the order they were given") {
  const std::string content = pattern(2 * kMega, 99);
  const TempFile file(content);
  for (std::uint32_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    ServerHarness server;
    Client client(server.port(), AF_INET, kSmallBuffer);
    Session& session = server.session();
    std::string expected;
    server.call([&] {
      Stream& stream = session.stream;
      server.loop().set_use_sendfile(seed % 4 != 0);
      shrink(stream);
      std::mt19937 random(seed);
      for (int i = 0; i < 60; ++i) {
        const std::string piece = pattern(random() % 20'000, seed + static_cast<std::uint32_t>(i));
        switch (random() % 3) {
          case 0:
            expected += piece;
            CHECK(stream.write(piece) == 0);
            break;
          case 1: {
            expected += piece;
            const auto owner = std::make_shared<const std::string>(piece);
            CHECK(stream.write_shared({}, *owner, owner) == 0);
            break;
          }
          default: {
            const std::size_t offset = random() % content.size();
            const std::size_t size =
                random() % std::min<std::size_t>(300'000, content.size() - offset);
            expected += "part" + content.substr(offset, size);
            CHECK(stream.send_file("part", file.ref(), offset, size) == 0);
          }
        }
      }
      stream.shutdown();
    });
    CHECK((client.receive_all() == expected));
    server.call([&] {
      CHECK_FALSE(session.stream.busy());
      CHECK(session.stream.queued() == 0);
      CHECK(session.stream.bytes_written() == expected.size());
    });
  }
}

TEST_CASE("a file that is not in memory is read by the pool, not by the loop") {
  const std::string content = pattern(2 * kMega + 11);
  const TempFile file(content);
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  server.call([&] {
    server.loop().residency().set_kernel(kNothing);
    CHECK(session.stream.send_file("head", file.ref(), 0, content.size()) == 0);
    // Had the loop gone ahead, some of the file would have left by now.
    CHECK(session.stream.busy());
    CHECK(session.stream.bytes_written() == 4);
  });
  CHECK((client.receive(4 + content.size()) == "head" + content));
  session.wait_for_event('D');
}

// A page cache of one file, of pages of kPage bytes.
constexpr std::size_t kPage = 4096;
std::set<std::size_t> g_cached;
int g_asked = 0;
constexpr Residency::Kernel kFewPages{
    [](int, std::uint64_t offset, std::size_t length) {
      ++g_asked;
      for (std::size_t page = offset / kPage; page * kPage < offset + length; ++page) {
        if (!g_cached.contains(page)) return false;
      }
      return true;
    },
    [](int, std::uint64_t offset) { return g_cached.contains(offset / kPage); }};

TEST_CASE("what was in memory is believed for a second, but not after its last byte is gone") {
  constexpr std::size_t kSlice = 4 * kPage;
  constexpr int kFile = 3;
  g_cached.clear();
  g_asked = 0;
  for (std::size_t page = 0; page < 12; ++page) g_cached.insert(page);
  Residency residency;
  residency.set_kernel(kFewPages);
  CHECK(residency.check(kFile, 0, kSlice, 1000));
  CHECK(residency.check(kFile, kSlice, kSlice, 1000));
  CHECK(g_asked == 2);
  CHECK(residency.check(kFile, kPage, kSlice, 1001));
  CHECK(g_asked == 2);  // believed
  g_cached.erase(1);    // a hole, which is found when it is not believed any more
  CHECK(residency.check(kFile, 0, kSlice, 1002));
  CHECK_FALSE(residency.check(kFile, 0, kSlice, 3000));
  g_cached.insert(1);
  CHECK(residency.check(kFile, 0, kSlice, 3001));
  g_cached.clear();  // evicted as a whole: found at once
  CHECK_FALSE(residency.check(kFile, 0, kSlice, 3002));
  CHECK_FALSE(residency.check(kFile, 0, kSlice, 3003));
}

// Tries until the system, which may bring a page in or throw it out at any time, leaves it so.
bool in_the_end(const auto& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
  }
  return false;
}

TEST_CASE("the page cache is asked") {
  const TempFile file(pattern(4 * kMega));
  const auto resident = [&] { return is_resident(file.fd(), 0, Stream::kFileSlice); };
  const auto warmed = [&] {
    CHECK(warm(file.fd(), 0, Stream::kFileSlice) == static_cast<ssize_t>(Stream::kFileSlice));
    return resident();
  };
  if (!in_the_end([&] { return file.evict() && !resident(); })) {
    MESSAGE("this file system keeps everything in memory: nothing to test");
    return;
  }
  CHECK(in_the_end(warmed));
  CHECK(in_the_end([&] {
    posix_fadvise(file.fd(), 64 * 1024, 64 * 1024, POSIX_FADV_DONTNEED);
    return !resident();
  }));
  CHECK(in_the_end(warmed));
}

#if defined(__linux__) && defined(SYS_preadv2)
// For this thread, and for good: these system calls fail.
bool forbid_calls(std::uint16_t error) {
  constexpr unsigned kCachestat = 451;
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_preadv2, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kCachestat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{std::size(program), program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_CASE("files are sent where the system does not say what is in memory") {
  const std::string content = pattern(8 * kMega + 11);
  const TempFile file(content);
  for (const std::uint16_t error : {ENOSYS, EPERM, EOPNOTSUPP, EINVAL}) {
    for (const bool sendfile : {true, false}) {
      CAPTURE(error);
      CAPTURE(sendfile);
      ServerHarness server;
      bool forbidden = false;
      server.call([&] { forbidden = forbid_calls(error); });
      if (!forbidden) {
        MESSAGE("no seccomp: nothing to test");
        return;
      }
      Client client(server.port(), AF_INET, kSmallBuffer);
      Session& session = server.session();
      server.call([&] {
        char byte = 0;
        CHECK(read_resident(file.fd(), 0, &byte, 1) == UV_EAGAIN);
        CHECK_FALSE(is_resident(file.fd(), 0, 1));
        server.loop().set_use_sendfile(sendfile);
        CHECK(session.stream.send_file("head", file.ref(), 0, content.size()) == 0);
      });
      CHECK((client.receive(4 + content.size()) == "head" + content));
      session.wait_for_event('D');
    }
  }
}
#endif

TEST_CASE("a file that turns out shorter cuts the connection") {
  const TempFile file(pattern(100'000));
  for (const bool sendfile : {true, false}) {
    for (const bool evicted : {false, true}) {
      CAPTURE(sendfile);
      CAPTURE(evicted);
      if (evicted) file.evict();
      ServerHarness server([](Session& session) {
        session.error_hook = [](Session& self) { self.stream.reset(); };
      });
      Client client(server);
      Session& session = server.session();
      int error = 0;
      server.call([&] {
        server.loop().set_use_sendfile(sendfile);
        error = session.stream.send_file("", file.ref(), 0, 100'001);
        CHECK((error == 0 || error == UV_EOF));
        if (error == UV_EOF) session.stream.reset();
      });
      const std::string end = client.receive_end();
      CHECK((end == "RST" || end.size() <= 100'000));
      session.wait_for_event('C');
      CHECK(session.events() == (error == 0 ? "XC" : "C"));
      if (error == 0) CHECK(session.error() == UV_EOF);
    }
  }
}

TEST_CASE("a range beyond the end of its file is an error") {
  const TempFile file("short");
  ServerHarness server;
  const Client client(server);
  Session& session = server.session();
  server.call([&] { CHECK(session.stream.send_file("", file.ref(), 5, 10) == 0); });
  session.wait_for_event('X');
  CHECK(session.error() == UV_EOF);
  server.call([&] { CHECK(session.stream.write("x") == UV_EOF); });
}

TEST_CASE("a file truncated while it is being sent cuts the connection") {
  const TempFile file(pattern(32 * kMega));
  ServerHarness server(
      [](Session& session) { session.error_hook = [](Session& self) { self.stream.reset(); }; });
  Client client(server.port(), AF_INET, kSmallBuffer);
  Session& session = server.session();
  server.call([&] {
    CHECK(session.stream.send_file("", file.ref(), 0, 32 * kMega) == 0);
    CHECK(session.stream.busy());
  });
  CHECK((client.receive(kMega) == pattern(32 * kMega).substr(0, kMega)));
  REQUIRE(ftruncate(file.fd(), 2 * kMega) == 0);
  client.receive_end();
  session.wait_for_event('C');
  CHECK(session.error() == UV_EOF);
}

// The owner of a FileRef: closes the descriptor after the last read, which a disk thread may still
// do when the stream and its loop are gone.
struct Watched {
  const TempFile file{pattern(32 * kMega)};
  std::atomic<bool> changed{false};
  static bool unchanged(const void* owner) {
    return !static_cast<const Watched*>(owner)->changed.load();
  }
};

TEST_CASE("a file that is changed before or while it is sent cuts the connection") {
  for (const bool sendfile : {true, false}) {
    CAPTURE(sendfile);
    const auto owner = std::make_shared<Watched>();
    const FileRef watched(owner->file.fd(), 0, owner, &Watched::unchanged);
    ServerHarness server(
        [](Session& session) { session.error_hook = [](Session& self) { self.stream.reset(); }; });
    {
      Client client(server.port(), AF_INET, kSmallBuffer);
      Session& session = server.session();
      server.call([&] {
        server.loop().set_use_sendfile(sendfile);
        CHECK(session.stream.send_file("", watched, 0, 32 * kMega) == 0);
        CHECK(session.stream.busy());
      });
      client.receive(kMega);
      owner->changed.store(true);
      client.receive_end();
      session.wait_for_event('C');
      CHECK(session.error() == UV_EOF);
    }
    const Client late(server);
    Session& session = server.session(2);
    server.call([&] { CHECK(session.stream.send_file("head", watched, 0, 10) == UV_EOF); });
  }
}

TEST_CASE("a file that sendfile cannot send is copied") {
  // Made by the kernel as it is read: no page cache behind it.
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    MESSAGE("no /proc: nothing to test");
    return;
  }
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  server.call([&] {
    CHECK(session.stream.send_file("maps:", FileRef::adopt(fd, 0), 0, 100) == 0);
    CHECK(session.stream.write(":end") == 0);
  });
  const std::string got = client.receive(109);
  CHECK(got.substr(0, 5) == "maps:");
  CHECK(got.substr(105) == ":end");
}

TEST_CASE("closing in the middle of a file, and while the pool reads for it") {
  const TempFile file(pattern(8 * kMega));
  for (const bool evicted : {false, true}) {
    for (const bool sendfile : {true, false}) {
      for (const bool reset : {true, false}) {
        if (evicted) file.evict();
        ServerHarness server;
        const Client client(server.port(), AF_INET, kSmallBuffer);
        Session& session = server.session();
        server.call([&] {
          server.loop().set_use_sendfile(sendfile);
          CHECK(session.stream.send_file("", file.ref(), 0, 8 * kMega) == 0);
          CHECK(session.stream.busy());
          if (reset) {
            session.stream.reset();
          } else {
            session.stream.close();
          }
        });
        session.wait_for_event('C');
        CHECK(session.events() == "C");
      }
    }
  }
}

TEST_CASE("a client that resets in the middle of a file is one error") {
  const TempFile file(pattern(16 * kMega));
  for (const bool sendfile : {true, false}) {
    ServerHarness server;
    Client client(server.port(), AF_INET, kSmallBuffer);
    Session& session = server.session();
    server.call([&] {
      server.loop().set_use_sendfile(sendfile);
      CHECK(session.stream.send_file("", file.ref(), 0, 16 * kMega) == 0);
    });
    client.receive(100'000);
    client.reset();
    session.wait_for_event('X');
    CHECK((session.error() == UV_ECONNRESET || session.error() == UV_EPIPE));
    server.call([&] { session.stream.close(); });
    session.wait_for_event('C');
    // sendfile(2) may swallow the reset together with its last bytes; then reading finds an end.
    CHECK((session.events() == "XC" || session.events() == "EXC"));
  }
}

TEST_CASE("the descriptor goes with the last range") {
  const TempFile file(pattern(kMega));
  ServerHarness server;
  Client client(server);
  Session& session = server.session();
  const int copy = dup(file.fd());
  server.call([&] {
    FileRef ref = FileRef::adopt(copy, 0);
    CHECK(ref);
    CHECK_FALSE(FileRef());
    for (int i = 0; i < 4; ++i) {
      CHECK(session.stream.send_file("", ref, static_cast<std::uint64_t>(i), 1000) == 0);
    }
    CHECK(session.stream.send_file("", std::move(ref), 0, kMega) == 0);
  });
  CHECK(client.receive(4000 + kMega).size() == 4000 + kMega);
  server.call([] {});
  CHECK(fcntl(copy, F_GETFD) < 0);
}

TEST_CASE("a slow reader gets everything") {
  const std::string content = pattern(4 * kMega);
  const TempFile file(content);
  for (const bool sendfile : {true, false}) {
    ServerHarness server;
    Client client(server.port(), AF_INET, kSmallBuffer);
    Session& session = server.session();
    server.call([&] {
      server.loop().set_use_sendfile(sendfile);
      shrink(session.stream);
      CHECK(session.stream.send_file("", file.ref(), 0, content.size()) == 0);
      session.stream.shutdown();
    });
    std::string got;
    std::uint64_t last = 0;
    while (got.size() < content.size()) {
      got += client.receive(std::min<std::size_t>(30'000, content.size() - got.size()));
      if (got.size() % 300'000 < 30'000) {
        server.call([&] {
          CHECK(session.stream.bytes_written() >= last);
          last = session.stream.bytes_written();
          CHECK(session.stream.queued() == 0);
        });
      }
    }
    CHECK((got == content));
    CHECK(client.receive_all().empty());
  }
}

TEST_CASE("a client that downloads fast does not keep others waiting") {
  const TempFile file(pattern(16 * kMega));
  std::atomic<bool> stop = false;
  ServerHarness server(echo);
  Client fast(server);
  Session& download = server.session(1);
  std::function<void(Session&)> again = [&](Session& self) {
    if (!stop) CHECK(self.stream.send_file("", file.ref(), 0, 16 * kMega) == 0);
    if (stop) self.stream.shutdown();
  };
  server.call([&] {
    download.drained_hook = again;
    again(download);
  });
  std::thread reader([&] { fast.receive_all(); });
  Client small(server);
  int turns = 0;
  server.call([&] { server.loop().on_turn_end = [&] { ++turns; }; });
  for (int i = 0; i < 100; ++i) {
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    server.call([&] {
      before = download.stream.bytes_written();
      turns = 0;
    });
    small.send("ping");
    CHECK(small.receive(4) == "ping");
    server.call([&] {
      after = download.stream.bytes_written();
      // A turn gives the download at most a slice and what follows it.
      CHECK(after - before <=
            static_cast<std::uint64_t>(turns + 2) * (Stream::kFileSlice + 65'536));
    });
  }
  stop = true;
  reader.join();
  server.call([&] { server.loop().on_turn_end = nullptr; });
}

TEST_CASE("warm reads what is there") {
  const TempFile file(pattern(300'000));
  CHECK(warm(file.fd(), 0, 300'000) == 300'000);
  CHECK(warm(file.fd(), 100'000, 300'000) == 200'000);
  CHECK(warm(file.fd(), 300'000, 10) == 0);
  CHECK(warm(-1, 0, 10) == UV_EBADF);
  char buffer[10];
  CHECK(read_blocking(file.fd(), 299'995, buffer, 10) == 5);
  CHECK(read_blocking(-1, 0, buffer, 10) == UV_EBADF);
  CHECK_FALSE(is_resident(-1, 0, 10));
}

}  // namespace
}  // namespace httpuv::net
