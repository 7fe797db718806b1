// One file as it was when it was opened: its bytes or its descriptor, its validators, and the
// header fields of its answers, ready to be copied.
//
// Immutable. Made on a pool thread, handed to the loop thread, shared and dropped there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "coding/coding.h"
#include "files/disk/stamp.h"

namespace httpuv::files {

struct FileEntry {
  base::Descriptor fd;  // only when the bytes are not in memory
  std::string content;  // the bytes, when in_memory
  bool in_memory = false;
  std::uint64_t size = 0;
  Stamp stamp;

  // The validators that conditions are checked against (RFC 9110 section 8.8).
  std::string etag;                           // as it is sent: with its quotes, "W/" if it is weak
  std::optional<std::int64_t> last_modified;  // seconds since 1970, never after it was opened
  bool takes_ranges = true;                   // false: Range fields are ignored
  bool sized = true;                          // false: the length was not known before reading
  std::string content_type;

  // Serialised "Name: value\r\n" lines.
  std::string fields;         // of a 200: begins with the Content-Type line
  std::size_t type_line = 0;  // the length of that line: the rest is what a multipart 206 has
  std::string fields_304;     // what RFC 9110 section 15.4.5 asks for

  // Encoded forms of the same file (they have none of their own).
  std::array<std::unique_ptr<const FileEntry>, coding::kCodings> variants;

  [[nodiscard]] bool negotiated() const {
    return variants[0] != nullptr || variants[1] != nullptr || variants[2] != nullptr;
  }

  // Whether the open file is still what it was, so that sending it piece by piece may go on: to be
  // asked between two pieces, and before the last bytes. A file that was replaced or unlinked is;
  // one that was written to, cut or extended in place is not. One fstat; true of bytes in memory.
  [[nodiscard]] bool unchanged() const;

  // What holding it costs, variants included.
  [[nodiscard]] std::size_t memory() const;
  [[nodiscard]] std::size_t descriptors() const;
};

}  // namespace httpuv::files
