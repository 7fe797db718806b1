#include "files/disk/opener.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "temp_tree.h"

using namespace httpuv::files;

namespace {

struct Fixture {
  TempTree tree;
  OpenerState state;
  httpuv::base::Descriptor root;

  explicit Fixture(bool use_openat2) {
    state.use_openat2 = use_openat2;
    tree.write("outside/secret.txt", "secret");
    tree.write("site/a.txt", "a");
    tree.write("site/dir/b.txt", "b");
    tree.write("site2/c.txt", "c");
    root = httpuv::base::Descriptor(open_root(tree.path("site")));
    REQUIRE(root.valid());
  }

  Opened open(std::string_view path, bool leave_root = false) {
    return Opener(root.get(), leave_root, state).open(path);
  }

  std::string read(std::string_view path, bool leave_root = false) {
    const Opened opened = open(path, leave_root);
    if (opened.error != 0) return std::strerror(opened.error);
    if (!opened.is_file()) return "(directory)";
    char buffer[64];
    const ssize_t size = ::pread(opened.fd.get(), buffer, sizeof(buffer), 0);
    return std::string(buffer, static_cast<std::size_t>(size));
  }
};

}  // namespace

TEST_CASE("files and directories below the root are opened, by either way") {
  for (const bool use_openat2 : {true, false}) {
    CAPTURE(use_openat2);
    Fixture f(use_openat2);
    CHECK(f.read("a.txt") == "a");
    CHECK(f.read("dir/b.txt") == "b");
    CHECK(f.open("").is_directory());
    CHECK(f.open("dir").is_directory());
    CHECK(f.open("none").error == ENOENT);
    CHECK(f.open("dir/none").error == ENOENT);
    CHECK(f.open("none/b.txt").error == ENOENT);
    CHECK(f.open("a.txt/b").error == ENOTDIR);
    CHECK(f.open(std::string(300, 'x')).error == ENAMETOOLONG);
    CHECK(f.open(std::string("a.txt\0x", 7)).error == ENOENT);
  }
}

TEST_CASE("links inside the root are followed, links out of it are not") {
  for (const bool use_openat2 : {true, false}) {
    CAPTURE(use_openat2);
    Fixture f(use_openat2);
    f.tree.symlink("a.txt", "site/relative");
    f.tree.symlink(f.tree.path("site/a.txt"), "site/absolute");
    f.tree.symlink("../site/dir", "site/around");
    f.tree.symlink("dir", "site/folder");
    f.tree.symlink("../outside/secret.txt", "site/up");
    f.tree.symlink(f.tree.path("outside"), "site/away");
    f.tree.symlink(f.tree.path("site2"), "site/sibling");
    f.tree.symlink("/proc/self/exe", "site/magic");
    f.tree.symlink("circle", "site/circle");
    f.tree.symlink("nowhere", "site/dangling");
    CHECK(f.read("relative") == "a");
    CHECK(f.read("absolute") == "a");
    CHECK(f.read("around/b.txt") == "b");
    CHECK(f.read("folder/b.txt") == "b");
    CHECK(f.open("up").error == EXDEV);
    CHECK(f.open("away").error == EXDEV);
    CHECK(f.open("away/secret.txt").error == EXDEV);
    CHECK(f.open("sibling/c.txt").error == EXDEV);
    CHECK(f.open("magic").error != 0);
    CHECK(f.open("circle").error == ELOOP);
    CHECK(f.open("dangling").error == ENOENT);

    CHECK(f.read("up", true) == "secret");
    CHECK(f.read("away/secret.txt", true) == "secret");
    CHECK(f.read("sibling/c.txt", true) == "c");
    CHECK(f.open("circle", true).error == ELOOP);
  }
}

TEST_CASE("special files are not there, and do not block") {
  for (const bool use_openat2 : {true, false}) {
    for (const bool leave_root : {true, false}) {
      CAPTURE(use_openat2);
      Fixture f(use_openat2);
      f.tree.fifo("site/fifo");
      f.tree.symlink("fifo", "site/to-fifo");
      f.tree.symlink("/dev/zero", "site/zero");
      const int sock = ::socket(AF_UNIX, SOCK_STREAM, 0);
      sockaddr_un address = {};
      address.sun_family = AF_UNIX;
      f.tree.path("site/sock").copy(address.sun_path, sizeof(address.sun_path) - 1);
      REQUIRE(::bind(sock, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
      for (const char* name : {"fifo", "to-fifo", "zero", "sock"}) {
        CAPTURE(name);
        CHECK(f.open(name, leave_root).error != 0);
      }
      ::close(sock);
    }
  }
}

TEST_CASE("a tree that changes under the look-up never lets out") {
  for (const bool use_openat2 : {true, false}) {
    CAPTURE(use_openat2);
    Fixture f(use_openat2);
    f.tree.write("site/swap/secret.txt", "public");
    f.tree.symlink(f.tree.path("outside"), "evil");
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
      namespace fs = std::filesystem;
      while (!stop) {
        fs::rename(f.tree.path("site/swap"), f.tree.path("real"));
        fs::rename(f.tree.path("evil"), f.tree.path("site/swap"));
        fs::rename(f.tree.path("site/swap"), f.tree.path("evil"));
        fs::rename(f.tree.path("real"), f.tree.path("site/swap"));
      }
    });
    int found = 0;
    for (int i = 0; i < 20'000; ++i) {
      const std::string content = f.read("swap/secret.txt");
      REQUIRE(content != "secret");
      if (content == "public") ++found;
    }
    stop = true;
    swapper.join();
    CHECK(found > 0);
  }
}

TEST_CASE("a root that is not a directory") {
  TempTree tree;
  tree.write("file", "x");
  CHECK_FALSE(httpuv::base::Descriptor(open_root(tree.path("file"))).valid());
  CHECK_FALSE(httpuv::base::Descriptor(open_root(tree.path("none"))).valid());
}
