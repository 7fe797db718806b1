// Makes an entry of an open file: reads small ones whole, names validators.
//
// Pool threads (blocking). What comes out is one state of the file, never a mixture of two: a file
// that is being written while it is read is read again, and refused (EBUSY) when that does not end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "files/entry.h"
#include "files/opener.h"

namespace httpuv::files {

struct Loaded {
  std::unique_ptr<FileEntry> entry;  // without its fields; null when error != 0
  int error = 0;
};

// `small_file`: up to this size the bytes are kept and the descriptor is not.
Loaded load_file(Opened&& file, std::uint64_t small_file);

// An entry of bytes that were made here. `last_modified` may be -1.
std::unique_ptr<FileEntry> make_entry(std::string&& content, std::int64_t last_modified);

// The bytes of an open file in one state, which goes to `status`. 0 or errno.
int read_whole(int fd, struct stat& status, std::string& content);

// Strong validators (RFC 9110 section 8.8.1). Bytes that were read are named by what they are, so
// that the same file on another machine, or touched, keeps its tag; others by their stamp.
std::string etag_of_bytes(std::string_view bytes);
std::string etag_of_stamp(const Stamp& stamp);

}  // namespace httpuv::files
