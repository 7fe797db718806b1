#include "files/disk/loader.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/encode/sha1.h"

namespace httpuv::files {
namespace {

constexpr int kTries = 8;

void append_hex(std::string& out, std::uint64_t number) {
  std::array<char, 16> digits;
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr);
}

// RFC 9110 section 8.8.2.1: never a time in the future.
std::int64_t last_modified_of(const Stamp& stamp) {
  return std::min(stamp.modified.seconds, wall_clock().seconds);
}

// The writer needs a moment to finish.
void pause_for(int attempt) {
  const timespec time = {0, attempt * 1'000'000L};
  ::nanosleep(&time, nullptr);
}

// Reads from `offset` until `size` bytes are there or the file ends; how many, or -1 with errno.
ssize_t read_some(int fd, char* into, std::size_t size, std::uint64_t offset) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t n = ::pread(fd, into + have, size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(have);
}

// Reads to the end of the file. `expected` is a guess. 0 or errno.
int read_to_end(int fd, std::uint64_t expected, std::uint64_t limit, std::string& content) {
  constexpr std::size_t kStep = std::size_t{64} * 1024;
  content.clear();
  std::size_t room = static_cast<std::size_t>(std::min(expected, limit)) + 1;
  for (;;) {
    const std::size_t have = content.size();
    content.resize(have + room);
    const ssize_t got = read_some(fd, content.data() + have, room, have);
    if (got < 0) return errno;
    content.resize(have + static_cast<std::size_t>(got));
    if (content.size() > limit) return EFBIG;
    if (static_cast<std::size_t>(got) < room) return 0;
    room = std::max(kStep, content.size());
  }
}

// Whether there are as many bytes as fstat says. File systems on a local disk are believed.
bool size_is_true(int fd, std::uint64_t size) {
  char byte = 0;
  return is_local(fd) || read_some(fd, &byte, 1, size - 1) == 1;
}

std::unique_ptr<FileEntry> entry_of_bytes(std::string&& content, const Stamp& stamp) {
  const bool sized = content.size() == stamp.size;
  // The times of files in /proc and the like say nothing about their content.
  std::unique_ptr<FileEntry> entry =
      make_entry(std::move(content), sized ? std::optional(last_modified_of(stamp)) : std::nullopt);
  entry->stamp = stamp;
  entry->sized = sized;
  return entry;
}

}  // namespace

std::string etag_of_bytes(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr std::size_t kDigestBytes = 16;
  std::string tag = "\"";
  const std::array<std::uint8_t, 20> digest = base::sha1(bytes);
  for (std::size_t i = 0; i < kDigestBytes; ++i) {
    tag.push_back(kHex[digest[i] >> 4]);
    tag.push_back(kHex[digest[i] & 15]);
  }
  return tag.append("\"");
}

std::string etag_of_stamp(const Stamp& stamp, const FileTime& now) {
  std::string tag = is_written_just_now(stamp, now) ? "W/\"" : "\"";
  append_hex(tag, stamp.size);
  tag.push_back('-');
  append_hex(tag, static_cast<std::uint64_t>(stamp.modified.seconds));
  tag.push_back('.');
  append_hex(tag, static_cast<std::uint64_t>(stamp.modified.nanoseconds));
  tag.push_back('-');
  append_hex(tag, stamp.inode);
  return tag.append("\"");
}

int read_whole(int fd, std::uint64_t limit, struct stat& status, std::string& content) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (attempt > 1) pause_for(attempt);
    if (::fstat(fd, &status) != 0) return errno;
    const Stamp before = stamp_of(status);
    if (const int error = read_to_end(fd, before.size, limit, content); error != 0) return error;
    struct stat after;
    if (::fstat(fd, &after) != 0) return errno;
    // Equal stamps, but another length than they say: a file whose size is not its length.
    if (stamp_of(after) == before) return 0;
  }
  return EBUSY;
}

std::unique_ptr<FileEntry> make_entry(std::string&& content,
                                      std::optional<std::int64_t> last_modified) {
  auto entry = std::make_unique<FileEntry>();
  entry->content = std::move(content);
  entry->in_memory = true;
  entry->size = entry->content.size();
  entry->etag = etag_of_bytes(entry->content);
  entry->last_modified = last_modified;
  return entry;
}

Loaded load_file(Opened&& file, std::uint64_t small_file) {
  Loaded loaded;
  const auto size = static_cast<std::uint64_t>(file.status.st_size);
  if (size <= small_file || !size_is_true(file.fd.get(), size)) {
    std::string content;
    // A file that has grown past `small_file` since it was opened is kept in memory once.
    loaded.error = read_whole(file.fd.get(), kMaxUnsized, file.status, content);
    if (loaded.error == 0) {
      loaded.entry = entry_of_bytes(std::move(content), stamp_of(file.status));
      return loaded;
    }
    const bool grown = static_cast<std::uint64_t>(file.status.st_size) > kMaxUnsized;
    if (loaded.error != EFBIG || !grown) return loaded;
    loaded.error = 0;
  }
  loaded.entry = std::make_unique<FileEntry>();
  FileEntry& entry = *loaded.entry;
  entry.stamp = stamp_of(file.status);
  entry.size = entry.stamp.size;
  entry.etag = etag_of_stamp(entry.stamp, wall_clock());
  entry.last_modified = last_modified_of(entry.stamp);
  entry.fd = std::move(file.fd);
  return loaded;
}

}  // namespace httpuv::files
