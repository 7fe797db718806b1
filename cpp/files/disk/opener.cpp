#include "files/disk/opener.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>

#if defined(__linux__)
#include <sys/statfs.h>
#include <sys/syscall.h>
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif
#elif defined(__APPLE__)
#include <sys/mount.h>
#include <sys/param.h>
#endif

namespace httpuv::files {
namespace {

// O_NONBLOCK: of use to FIFOs and devices only, which are not kept.
constexpr int kRead = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
#if defined(O_PATH)
constexpr int kLookup = O_PATH | O_CLOEXEC;
#else
constexpr int kLookup = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
#endif

int open_at(int directory, const char* path, int flags) {
  int fd = -1;
  do {
    fd = ::openat(directory, path, flags);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

int fail(int error) {
  errno = error;
  return -1;
}

// Where an open file is in the tree now, or "" with errno.
std::string path_of(int fd) {
#if defined(__linux__)
  std::array<char, PATH_MAX> buffer;
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t size = ::readlink(link.c_str(), buffer.data(), buffer.size());
  if (size < 0) return "";
  return std::string(buffer.data(), static_cast<std::size_t>(size));
#elif defined(__APPLE__)
  std::array<char, MAXPATHLEN> buffer;
  if (::fcntl(fd, F_GETPATH, buffer.data()) < 0) return "";
  return buffer.data();
#else
  (void)fd;
  errno = EXDEV;
  return "";
#endif
}

// Follows every link, then asks the kernel where it ended: what counts is the file that is open,
// so nothing that happens to the tree in between matters.
int open_checked(int root, const char* path) {
  const base::Descriptor found(open_at(root, path, kLookup));
  if (!found.valid()) return -1;
  const std::string inside = path_of(root);
  const std::string place = path_of(found.get());
  if (inside.empty() || place.empty()) return fail(EXDEV);
  const std::string prefix = inside == "/" ? inside : inside + "/";
  if (place != inside && place.compare(0, prefix.size(), prefix) != 0) return fail(EXDEV);
#if defined(O_PATH)
  // The same file again, readable.
  const std::string link = "/proc/self/fd/" + std::to_string(found.get());
  return open_at(AT_FDCWD, link.c_str(), kRead);
#else
  return ::fcntl(found.get(), F_DUPFD_CLOEXEC, 0);
#endif
}

#if defined(SYS_openat2) && defined(RESOLVE_BENEATH)
int open_how_at(int root, const char* path, std::uint64_t resolve) {
  struct open_how how = {};
  how.flags = kRead;
  how.resolve = resolve;
  int fd = -1;
  // EAGAIN: something was renamed during the look-up and the kernel cannot be sure.
  for (int tries = 0; tries < 16; ++tries) {
    fd = static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof(how)));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd;
}
constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t kAnywhere = RESOLVE_NO_MAGICLINKS;
#else
int open_how_at(int, const char*, std::uint64_t) {
  return fail(ENOSYS);
}
constexpr std::uint64_t kBeneath = 0;
constexpr std::uint64_t kAnywhere = 0;
#endif

}  // namespace

Opened Opener::open(std::string_view path) const {
  Opened opened;
  if (path.find('\0') != std::string_view::npos) {
    opened.error = ENOENT;
    return opened;
  }
  const int fd = open_beneath(path.empty() ? "." : std::string(path));
  if (fd < 0) {
    opened.error = errno;
    return opened;
  }
  opened.fd = base::Descriptor(fd);
  if (::fstat(fd, &opened.status) != 0) {
    opened.error = errno;
  } else if (!S_ISREG(opened.status.st_mode) && !S_ISDIR(opened.status.st_mode)) {
    opened.error = ENOENT;
  }
  return opened;
}

int Opener::open_beneath(const std::string& path) const {
  if (state_.use_openat2.load(std::memory_order_relaxed)) {
    const int fd = open_how_at(root_, path.c_str(), leave_root_ ? kAnywhere : kBeneath);
    if (fd >= 0) return fd;
    switch (errno) {
      case ENOSYS:
      case EPERM:  // a sandbox that does not know the call
        state_.use_openat2.store(false, std::memory_order_relaxed);
        break;
      case EXDEV:   // an absolute link, which may well end inside
      case EAGAIN:  // a busy tree
        return leave_root_ ? fail(EXDEV) : open_checked(root_, path.c_str());
      default:
        return -1;
    }
  }
  return leave_root_ ? open_at(root_, path.c_str(), kRead) : walk(path);
}

int Opener::walk(const std::string& path) const {
  base::Descriptor directory;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    const bool last = end == path.size();
    const int flags = last ? kRead : kLookup | O_DIRECTORY;
    const int from = directory.valid() ? directory.get() : root_;
    const int fd = open_at(from, name.c_str(), flags | O_NOFOLLOW);
    if (fd < 0) {
      // A link here (ENOTDIR where a directory was due, EMLINK on BSDs), or no such thing.
      const bool maybe_link = errno == ELOOP || errno == ENOTDIR || errno == EMLINK;
      return maybe_link ? open_checked(root_, path.c_str()) : -1;
    }
    if (last) return fd;
    directory = base::Descriptor(fd);
    begin = end + 1;
  }
}

int open_root(const std::string& path) {
  return open_at(AT_FDCWD, path.c_str(), kLookup | O_DIRECTORY);
}

#if defined(__linux__)

namespace {

bool is_local(const struct statfs& info) {
  // Those known to be local; anything else (NFS, SMB, FUSE, 9p, ...) may ask another machine.
  constexpr std::array<std::uint32_t, 19> kLocal = {
      0xef53,      // ext2, ext3, ext4
      0x58465342,  // xfs
      0x9123683e,  // btrfs
      0x01021994,  // tmpfs
      0x858458f6,  // ramfs
      0x794c7630,  // overlayfs
      0xf2f52010,  // f2fs
      0x2fc12fc1,  // zfs
      0xca451a4e,  // bcachefs
      0x73717368,  // squashfs
      0xe0f5e1e2,  // erofs
      0x9660,      // iso9660
      0x15013346,  // udf
      0x4d44,      // vfat
      0x2011bab0,  // exfat
      0x7366746e,  // ntfs3
      0x52654973,  // reiserfs
      0x3153464a,  // jfs
      0x3434,      // nilfs2
  };
  const auto type = static_cast<std::uint32_t>(info.f_type);
  return std::find(kLocal.begin(), kLocal.end(), type) != kLocal.end();
}

}  // namespace

#elif defined(__APPLE__)

namespace {

bool is_local(const struct statfs& info) {
  return (info.f_flags & MNT_LOCAL) != 0;
}

}  // namespace

#endif

#if defined(__linux__) || defined(__APPLE__)

bool is_local(const std::string& path) {
  struct statfs info;
  return ::statfs(path.c_str(), &info) == 0 && is_local(info);
}

bool is_local(int fd) {
  struct statfs info;
  return ::fstatfs(fd, &info) == 0 && is_local(info);
}

#else

bool is_local(const std::string&) {
  return false;
}

bool is_local(int) {
  return false;
}

#endif

}  // namespace httpuv::files
