// Makes an entry of an open file: reads small ones whole, names validators.
//
// Blocks: pool threads, and threads of the application. The result is one state of the file, never
// a mixture of two: a file that is being written while it is read is read again, and refused
// (EBUSY) when that does not end.
//
// A file whose st_size is not its length (/proc and /sys, some FUSE file systems) is read to its
// end, at most kMaxUnsized bytes of it (else EFBIG): its entry is not `sized`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "files/disk/entry.h"
#include "files/disk/opener.h"

namespace httpuv::files {

inline constexpr std::uint64_t kMaxUnsized = std::uint64_t{16} * 1024 * 1024;

struct Loaded {
  std::unique_ptr<FileEntry> entry;  // without its fields; null when error != 0
  int error = 0;
};

// `small_file`: up to this size the bytes are kept and the descriptor is not.
Loaded load_file(Opened&& file, std::uint64_t small_file);

// An entry of bytes that were made here.
std::unique_ptr<FileEntry> make_entry(std::string&& content,
                                      std::optional<std::int64_t> last_modified);

// The bytes of an open file in one state, which goes to `status`. 0 or errno; EFBIG when there are
// more than `limit`.
int read_whole(int fd, std::uint64_t limit, struct stat& status, std::string& content);

// Entity tags (RFC 9110 section 8.8.3).
//
// Bytes that were read are named by 128 bits of their SHA-1: the same file on another machine, or
// copied, or touched, keeps its tag, and two states that differ do not share one by chance. Larger
// files are not read for a tag: size, time of modification and inode number name their state. The
// device number is left out, since it may change whenever a file system is mounted. A tag by stamp
// is weak while is_written_just_now(), because another write may not show in its stamp
// (section 8.8.1).
std::string etag_of_bytes(std::string_view bytes);
std::string etag_of_stamp(const Stamp& stamp, const FileTime& now);

}  // namespace httpuv::files
