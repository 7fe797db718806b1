// A temporary directory with files in it, gone at the end of the test.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "files/disk/stamp.h"

namespace httpuv::files {

class TempTree {
 public:
  TempTree() {
    std::string name = (std::filesystem::temp_directory_path() / "httpuv-files-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    // Without links in it, so that it compares with what the kernel says.
    root_ = std::filesystem::canonical(name).string();
  }
  ~TempTree() { std::filesystem::remove_all(root_); }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  const std::string& root() const { return root_; }
  std::string path(std::string_view name) const { return root_ + "/" + std::string(name); }

  void mkdir(std::string_view name) const { std::filesystem::create_directories(path(name)); }

  // In place: the same inode, if there is one.
  void write(std::string_view name, std::string_view content) const {
    std::filesystem::create_directories(std::filesystem::path(path(name)).parent_path());
    std::ofstream(path(name), std::ios::binary | std::ios::trunc) << content;
  }

  // As editors and deployments do it: a new file takes the old one's place.
  void replace(std::string_view name, std::string_view content) const {
    const std::string fresh = std::string(name) + ".new";
    write(fresh, content);
    std::filesystem::rename(path(fresh), path(name));
  }

  void symlink(const std::string& target, std::string_view name) const {
    std::filesystem::create_symlink(target, path(name));
  }
  void fifo(std::string_view name) const { ::mkfifo(path(name).c_str(), 0600); }
  void remove(std::string_view name) const { std::filesystem::remove_all(path(name)); }

  // Sets the time of the last modification.
  void touch(std::string_view name, std::time_t seconds, long nanoseconds = 0) const {
    const timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
    if (::utimensat(AT_FDCWD, path(name).c_str(), times, 0) != 0) {
      throw std::runtime_error("utimensat");
    }
  }

  // Waits until everything is old enough for the cache to trust what it saw: that is a matter of
  // the kernel's clock alone.
  void settle() const {
    bool fresh = true;
    while (fresh) {
      fresh = is_fresh(*take_stamp(root_), wall_clock());
      for (const auto& each : std::filesystem::recursive_directory_iterator(root_)) {
        const auto stamp = take_stamp(each.path().string());
        fresh = fresh || (stamp && is_fresh(*stamp, wall_clock()));
      }
      const timespec tick = {0, 2'000'000};
      ::nanosleep(&tick, nullptr);
    }
  }

 private:
  std::string root_;
};

}  // namespace httpuv::files
