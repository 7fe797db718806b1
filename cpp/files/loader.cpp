#include "files/loader.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "files/text_hash.h"

namespace httpuv::files {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr int kTries = 8;

std::string hex(std::uint64_t number) {
  char text[17];
  const int size =
      std::snprintf(text, sizeof(text), "%llx", static_cast<unsigned long long>(number));
  return std::string(text, static_cast<std::size_t>(size));
}

// RFC 9110 section 8.8.2.1: never a time in the future.
std::int64_t last_modified_of(const Stamp& stamp) {
  return std::clamp<std::int64_t>(stamp.modified_ns / kSecond, 0, wall_clock_ns() / kSecond);
}

// The writer needs a moment to finish.
void pause_for(int attempt) {
  const timespec time = {0, attempt * 1'000'000L};
  ::nanosleep(&time, nullptr);
}

// Reads until `content` is full or the file ends. 0 or errno.
int read_into(int fd, std::string& content) {
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t n =
        ::pread(fd, content.data() + have, content.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) break;
    have += static_cast<std::size_t>(n);
  }
  content.resize(have);
  return 0;
}

}  // namespace

std::string etag_of_bytes(std::string_view bytes) {
  return "\"" + hex(bytes.size()) + "-" + hex(hash_text(bytes, 0)) + "\"";
}

std::string etag_of_stamp(const Stamp& stamp) {
  return "\"" + hex(stamp.size) + "-" + hex(static_cast<std::uint64_t>(stamp.modified_ns)) + "-" +
         hex(stamp.inode) + "\"";
}

int read_whole(int fd, struct stat& status, std::string& content) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (attempt > 1) pause_for(attempt);
    if (::fstat(fd, &status) != 0) return errno;
    content.assign(static_cast<std::size_t>(status.st_size), '\0');
    if (const int error = read_into(fd, content); error != 0) return error;
    struct stat after;
    if (::fstat(fd, &after) != 0) return errno;
    const Stamp stamp = stamp_of(status);
    if (stamp_of(after) == stamp && content.size() == stamp.size) return 0;
  }
  return EBUSY;
}

std::unique_ptr<FileEntry> make_entry(std::string&& content, std::int64_t last_modified) {
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
  if (static_cast<std::uint64_t>(file.status.st_size) <= small_file) {
    std::string content;
    loaded.error = read_whole(file.fd.get(), file.status, content);
    if (loaded.error != 0) return loaded;
    const Stamp stamp = stamp_of(file.status);
    // It may have grown past `small_file` meanwhile; once does no harm.
    loaded.entry = make_entry(std::move(content), last_modified_of(stamp));
    loaded.entry->stamp = stamp;
    return loaded;
  }
  loaded.entry = std::make_unique<FileEntry>();
  FileEntry& entry = *loaded.entry;
  entry.stamp = stamp_of(file.status);
  entry.size = entry.stamp.size;
  entry.etag = etag_of_stamp(entry.stamp);
  entry.last_modified = last_modified_of(entry.stamp);
  entry.fd = std::move(file.fd);
  return loaded;
}

}  // namespace httpuv::files
