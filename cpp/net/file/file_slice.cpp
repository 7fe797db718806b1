#include "net/file/file_slice.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>

#ifdef __linux__
#include <sys/sendfile.h>
#include <sys/syscall.h>
#endif

namespace httpuv::net {

namespace {

constexpr std::size_t kScratchSize = std::size_t{128} * 1024;

ssize_t result_of(ssize_t count) {
  return count >= 0 ? count : static_cast<ssize_t>(uv_translate_sys_error(errno));
}

#ifdef __linux__

// cachestat(2), Linux 6.5; the C library has no wrapper and older kernel headers no name for it.
constexpr long kCachestat = 451;
struct CacheRange {
  std::uint64_t offset;
  std::uint64_t length;
};
struct CacheCounts {
  std::uint64_t cached;
  std::uint64_t dirty;
  std::uint64_t writeback;
  std::uint64_t evicted;
  std::uint64_t recently_evicted;
};

// Pages of the range in the cache, or -1: not known (an old kernel, a sandbox, or, since the call
// tells about others' activity, a file that is neither ours nor writable).
std::int64_t pages_cached(int file, std::uint64_t offset, std::size_t length) {
  static std::atomic<bool> missing{false};
  if (missing.load(std::memory_order_relaxed)) return -1;
  CacheRange range{offset, length};
  CacheCounts counts{};
  if (::syscall(kCachestat, file, &range, &counts, 0) == 0) {
    return static_cast<std::int64_t>(counts.cached);
  }
  if (errno == ENOSYS) missing.store(true, std::memory_order_relaxed);
  return -1;
}

// preadv2(2) by its number, since old C libraries have no wrapper. UV_ENOTSUP: not here, be it the
// kernel (before 4.14), the file system or a sandbox that has no such call or forbids it.
ssize_t read_nowait(int file, std::uint64_t offset, char* into, std::size_t length) {
#ifdef SYS_preadv2
  constexpr int kNowait = 8;  // RWF_NOWAIT
  const iovec vector{into, length};
  long count = 0;
  do {
    // The offset in two halves; where a long holds all of it, the second one is ignored.
    count = ::syscall(SYS_preadv2, file, &vector, 1, static_cast<long>(offset),
                      static_cast<long>(offset >> 32), kNowait);
  } while (count < 0 && errno == EINTR);
  const bool missing = errno == ENOSYS || errno == EINVAL || errno == EPERM;
  return count < 0 && missing ? static_cast<ssize_t>(UV_ENOTSUP) : result_of(count);
#else
  (void)file, (void)offset, (void)into, (void)length;
  return UV_ENOTSUP;
#endif
}

#endif

}  // namespace

bool is_resident(int file, std::uint64_t offset, std::size_t length) {
#ifdef __linux__
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t last = offset + length - 1;
  const std::int64_t cached = pages_cached(file, offset, length);
  const auto wanted = static_cast<std::int64_t>(last / page - offset / page + 1);
  if (cached >= 0 && cached < wanted) return false;
  // A page in the cache may still be on its way from the disk (read-ahead), which proceeds in
  // order: so ask whether the last byte can be read. Without a count, the first byte is a sample
  // too.
  char byte = 0;
  const ssize_t at_end = read_nowait(file, last, &byte, 1);
  if (at_end == UV_ENOTSUP) return cached >= 0;
  if (at_end != 1) return false;
  return cached >= 0 || read_nowait(file, offset, &byte, 1) == 1;
#else
  (void)file, (void)offset, (void)length;
  return false;
#endif
}

ssize_t warm(int file, std::uint64_t offset, std::size_t length) {
#ifdef POSIX_FADV_WILLNEED
  // The slice after this one is wanted soon as well.
  posix_fadvise(file, static_cast<off_t>(offset), static_cast<off_t>(2 * length),
                POSIX_FADV_WILLNEED);
#endif
  const auto scratch = std::make_unique_for_overwrite<char[]>(kScratchSize);
  std::size_t done = 0;
  while (done < length) {
    const ssize_t count =
        read_blocking(file, offset + done, scratch.get(), std::min(kScratchSize, length - done));
    if (count < 0) return count;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return static_cast<ssize_t>(done);
}

ssize_t read_resident(int file, std::uint64_t offset, char* into, std::size_t length) {
#ifdef __linux__
  const ssize_t count = read_nowait(file, offset, into, length);
  return count == UV_ENOTSUP ? static_cast<ssize_t>(UV_EAGAIN) : count;
#else
  (void)file, (void)offset, (void)into, (void)length;
  return UV_EAGAIN;
#endif
}

ssize_t read_blocking(int file, std::uint64_t offset, char* into, std::size_t length) {
  ssize_t count = 0;
  do {
    count = ::pread(file, into, length, static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  return result_of(count);
}

ssize_t send_slice(int socket, int file, std::uint64_t offset, std::size_t length) {
#ifdef __linux__
  auto position = static_cast<off_t>(offset);
  ssize_t count = 0;
  do {
    count = ::sendfile(socket, file, &position, length);
  } while (count < 0 && errno == EINTR);
  // sendfile(2): EINVAL and ENOSYS ask for read and write instead.
  if (count < 0 && (errno == EINVAL || errno == ENOSYS)) return UV_ENOTSUP;
  return result_of(count);
#else
  (void)socket, (void)file, (void)offset, (void)length;
  return UV_ENOTSUP;
#endif
}

ssize_t send_before_slice(int socket, const char* data, std::size_t length) {
#ifdef __linux__
  constexpr int kFlags = MSG_MORE | MSG_NOSIGNAL | MSG_DONTWAIT;
#else
  constexpr int kFlags = MSG_DONTWAIT;
#endif
  ssize_t count = 0;
  do {
    count = ::send(socket, data, length, kFlags);
  } while (count < 0 && errno == EINTR);
  return result_of(count);
}

}  // namespace httpuv::net
